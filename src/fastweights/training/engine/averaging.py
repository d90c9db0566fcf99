"""The optimiser of a run, and averaged stochastic gradient descent after it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fastweights.errors import UserError, check_at_least
from fastweights.training.engine.optimiser import Optimiser, rate_for, set_rate
from fastweights.training.engine.source import number


@dataclass(frozen=True)
class Averaging:
    """When a run goes over to averaged SGD (Polyak & Juditsky 1992), whose weights' mean is what it is measured by.

    The published rules are both here: a step known in advance, and the non-monotone trigger of Merity et al. 2018
    (algorithm 1), that no evaluation has of late been better than one long past. Whichever comes first.

    Attributes:
        learning_rate: constant from the switch on, > 0.
        start: the step (from 0) from which on weights are averaged; None: only the trigger.
        patience: how many of the last evaluations the best is not sought among; a reading above that best switches.
            None: no trigger.
        metric: the reading of evaluations that the trigger watches, the lower the better.

    Example:
        >>> Averaging(2.0, patience=2).triggered([5.0, 4.0, 3.9, 4.2], 3.8)
        False
        >>> Averaging(2.0, patience=2).triggered([5.0, 4.0, 3.9, 4.2], 4.1)
        True
    """

    learning_rate: float
    start: int | None = None
    patience: int | None = None
    metric: str = "validation_cross_entropy"

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < math.inf:
            raise UserError(
                f"the learning rate of averaging must be positive, not {self.learning_rate}"
            )
        if self.start is None and self.patience is None:
            raise UserError("averaging must begin at a step or after some patience: give either")
        check_at_least(0, start=self.start)
        check_at_least(1, patience=self.patience)

    def triggered(self, before: Sequence[float], reading: float) -> bool:
        """Return whether a reading shows no progress, given those of all evaluations before it."""
        patience = self.patience
        return (
            patience is not None
            and len(before) > patience
            and reading > min(before[: len(before) - patience])
        )


class AveragedOptimiser:
    """The optimiser, and from the switch on `torch.optim.ASGD` (t0 = 0, λ = 0).

    ASGD is torch's to the bit: a step takes the rate that was set for the step before it, and the mean is over all
    weights since the switch but those after its first step.

    Args:
        weights: those that are trained.
        optimiser: up to the switch; its weight decay stays beyond it.
        averaging: when to switch; None: never.
        graph: as of `Optimiser.build`.

    Attributes:
        current: the torch optimiser.
        since: the step from which on weights are averaged; None before the switch.
    """

    def __init__(
        self,
        weights: Sequence[nn.Parameter],
        optimiser: Optimiser,
        averaging: Averaging | None,
        *,
        graph: bool = False,
    ) -> None:
        self.weights, self.averaging, self.graph = weights, averaging, graph
        self.current = optimiser.build(weights, graph=graph)
        self.since: int | None = None
        self._weight_decay = optimiser.weight_decay
        self._readings: list[float] = []

    def switch_at(self, step: int) -> None:
        """Switch if `step` is where averaging starts."""
        averaging = self.averaging
        if averaging and averaging.start is not None and step >= averaging.start:
            self._switch(step)

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the steps to come."""
        set_rate(self.current, rate)

    def step(self) -> None:
        """Move the weights along their gradients."""
        self.current.step()

    def observe(self, step: int, row: Mapping[str, object], due: bool) -> None:
        """Switch if an evaluation's readings say so; only those that are `due` count for the trigger.

        Raises:
            UserError: if the metric that the trigger watches is not among them.
        """
        averaging = self.averaging
        if self.since is not None or averaging is None or averaging.patience is None:
            return
        reading = number(row, averaging.metric)
        if due:
            before, self._readings = self._readings, [*self._readings, reading]
            if averaging.triggered(before, reading):
                self._switch(step)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the weights are their averages, if there are any."""
        if self.since is None:
            yield
            return
        trained = [weight.detach().clone() for weight in self.weights]
        states = (self.current.state.get(weight, {}) for weight in self.weights)
        # A weight without a gradient so far has no average: it has never moved.
        self._put([s.get("ax", w) for s, w in zip(states, trained, strict=True)])
        try:
            yield
        finally:
            self._put(trained)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs as plain JSON values; the torch optimiser's own state is not in it."""
        return {"since": self.since, "readings": self._readings}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state` returned: to the optimiser that was current then, without its state."""
        self._readings = list(state["readings"])
        if state["since"] is not None:
            self._switch(state["since"])

    def _switch(self, step: int) -> None:
        if self.since is not None or self.averaging is None:
            return
        self.since = step
        on_gpu = any(weight.is_cuda for weight in self.weights)
        self.current = torch.optim.ASGD(
            self.weights,
            rate_for(self.weights, self.averaging.learning_rate, self.graph),
            lambd=0.0,
            t0=0.0,
            weight_decay=self._weight_decay,
            capturable=on_gpu,  # else every step waits for the device
        )

    @torch.no_grad()
    def _put(self, values: Sequence[Tensor]) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.copy_(value)
