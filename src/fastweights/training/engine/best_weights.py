"""The weights of a run's best evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from torch import Tensor, nn

from fastweights.training.engine.source import number


class BestWeights:
    """Keeps a copy of the weights and buffers that had the lowest reading of a metric.

    Args:
        metric: a reading of evaluations; None keeps nothing.

    Attributes:
        best: the lowest reading so far; None before the first.
        weights: the model's `state_dict` then.
    """

    def __init__(self, metric: str | None) -> None:
        self.metric = metric
        self.best: float | None = None
        self.weights: dict[str, Tensor] | None = None

    def observe(self, row: Mapping[str, object], model: nn.Module) -> None:
        """Keep the model's weights if these readings of it are the best so far.

        Raises:
            UserError: if the metric is not among them.
        """
        if self.metric is None:
            return
        reading = number(row, self.metric)
        if self.best is None or reading < self.best:
            self.best, self.weights = reading, deepcopy(model.state_dict())

    def restore(self, best: float | None, weights: Mapping[str, Tensor], model: nn.Module) -> None:
        """Go back to what was kept; `weights` may lie elsewhere than the model's."""
        self.best = best
        if best is not None:
            there = model.state_dict()
            self.weights = {
                name: t.to(there[name].device, copy=True) for name, t in weights.items()
            }
