"""The weights that a run is remembered for: those of its best evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from fastweights.training.sources.source import number


class Keeper:
    """Keeps a copy of the weights and buffers that had the lowest reading of a metric.

    Args:
        metric: a reading of evaluations; None keeps nothing.

    Attributes:
        best: the lowest reading so far; None before the first.
        weights: what `state_dict` gave then.
    """

    def __init__(self, metric: str | None) -> None:
        self.metric = metric
        self.best: float | None = None
        self.weights: dict[str, Tensor] | None = None

    def note(self, row: Mapping[str, Any], model: nn.Module) -> None:
        """Take the readings of an evaluation of the model as it is.

        Raises:
            UserError: if the metric is not among them.
        """
        if self.metric is None:
            return
        reading = number(row, self.metric)
        if self.best is None or reading < self.best:
            self.best, self.weights = reading, copied(model)

    def restore(self, best: float | None, weights: Mapping[str, Tensor], model: nn.Module) -> None:
        """Go back to what was kept; `weights` may lie elsewhere than the model's."""
        self.best = best
        if best is not None:
            there = model.state_dict()
            self.weights = {
                name: t.to(there[name].device, copy=True) for name, t in weights.items()
            }


def copied(model: nn.Module) -> dict[str, Tensor]:
    """Copy a model's weights and buffers.

    Example:
        >>> sorted(copied(nn.Linear(2, 1)))
        ['bias', 'weight']
    """
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
