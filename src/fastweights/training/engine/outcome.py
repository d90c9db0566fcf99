"""How a training run ends: with an outcome, or because it diverged."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastweights.errors import UserError
from fastweights.training.engine.meter import NotFinite


class Outcome(NamedTuple):
    """The outcome of a training run.

    Attributes:
        steps: done in all, over every process that worked on the run.
        seconds: of training steps: without kernel compilation, evaluations and checkpoints.
        compile_seconds: of kernel compilation.
        metrics: the last row of the run's metrics.
        history: all of them.
        interrupted: True if it was asked to stop before the last step.
    """

    steps: int
    seconds: float
    compile_seconds: float
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    interrupted: bool


class Diverged(UserError):
    """Training was stopped by a loss or gradient that is not finite.

    Attributes:
        step: the first step (from 1) at which it was not.
    """

    def __init__(self, trouble: NotFinite, kept: str) -> None:
        super().__init__(
            f"training stopped: {trouble}; {kept}; a lower learning rate or a smaller clip may help"
        )
        self.step = trouble.step
