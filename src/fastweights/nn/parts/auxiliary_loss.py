"""Modules with a loss of their own, which a trainer adds to its loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AuxiliaryLoss(nn.Module):
    """A module that may set `auxiliary_loss` in a forward pass in training.

    Attributes:
        auxiliary_loss: a scalar to be added to the loss with a weight of its own; None outside
            training, and where the module has no such loss.
        computed_in_evaluation: whether it is set outside training too (`mode.without_dropout`).
    """

    auxiliary_loss: Tensor | None = None
    computed_in_evaluation: bool = False

    @property
    def computes_auxiliary_loss(self) -> bool:
        """Whether a forward pass sets `auxiliary_loss`, if the module has such a loss."""
        return self.training or self.computed_in_evaluation

    def __getstate__(self) -> dict[str, object]:
        """Return what a copy keeps: all but the loss of the last forward pass."""
        return {key: value for key, value in self.__dict__.items() if key != "auxiliary_loss"}


def auxiliary_loss(model: nn.Module) -> Tensor | None:
    """Return the sum of the auxiliary losses of a model's modules; None if no module has one.

    Example:
        >>> from fastweights.nn import MetalearnedNeuralMemory
        >>> layer = MetalearnedNeuralMemory(3, 4, memory_size=2)
        >>> y, _ = layer(torch.randn(1, 5, 3))
        >>> torch.equal(auxiliary_loss(nn.Sequential(layer)), layer.auxiliary_loss)
        True
    """
    modules = [each for each in model.modules() if isinstance(each, AuxiliaryLoss)]
    losses = [each.auxiliary_loss for each in modules if each.auxiliary_loss is not None]
    return torch.stack(losses).sum() if losses else None
