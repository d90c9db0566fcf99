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
        step: when that was.
        latest: the step of the newest evaluation.
        weights: the model's `state_dict` then.
    """

    def __init__(self, metric: str | None) -> None:
        self.metric = metric
        self.best: float | None = None
        self.step = self.latest = 0
        self.weights: dict[str, Tensor] | None = None

    def chosen(self) -> dict[str, Tensor] | None:
        """Return the weights to be used; None where nothing but the start was evaluated, and so nothing was chosen."""
        return self.weights if self.latest > 0 else None

    def observe(self, step: int, row: Mapping[str, object], model: nn.Module) -> None:
        """Keep the model's weights if these readings of it are the best so far.

        Raises:
            UserError: if the metric is not among them.
        """
        if self.metric is None:
            return
        reading, self.latest = number(row, self.metric), step
        if self.best is None or reading < self.best:
            self.best, self.step, self.weights = reading, step, deepcopy(model.state_dict())

    def restore(
        self,
        best: float | None,
        steps: tuple[int, int],
        weights: Mapping[str, Tensor],
        model: nn.Module,
    ) -> None:
        """Go back to what was kept; `steps` are its own and the latest's, `weights` may lie elsewhere."""
        self.best, (self.step, self.latest) = best, steps
        if best is not None:
            there = model.state_dict()
            self.weights = {
                name: t.to(there[name].device, copy=True) for name, t in weights.items()
            }
