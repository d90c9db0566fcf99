"""Modules with an objective of their own, for a trainer to add to its loss."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Objective(nn.Module):
    """A module that may leave a scalar behind after a forward in training.

    Attributes:
        auxiliary_loss: that scalar, to be added to the loss with a weight of its own; None outside
            training, and where the module has no objective. `nn.base.auxiliary_loss(model)` adds up
            those of all modules.
        asked: whether it is left behind outside training too (`nn.mode.without_dropout`).
    """

    auxiliary_loss: Tensor | None = None
    asked: bool = False

    @property
    def has_objective(self) -> bool:
        """Whether a forward is to leave the scalar behind, if the module has one."""
        return self.training or self.asked

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to the last forward, and not to a copy."""
        return {key: value for key, value in self.__dict__.items() if key != "auxiliary_loss"}
