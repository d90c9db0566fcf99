"""The hand-derived gradients of the fast-weights RNN against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

import numpy as np

from fastweights.oracle import Array
from fastweights.oracle.fast_weight_rnn import FastWeightRNN, Outcome
from fastweights.oracle.gradcheck import Parameters, Row, check_cases

LEAST_DEVIATION = 0.25
"""Of what a layer norm divides by."""
TOTAL_KINK_MARGIN = 0.6
"""Of all arguments of f together from ReLU's kink: the more there are, the nearer the nearest."""


class Options(TypedDict):
    """The arguments of the recurrence that are no arrays."""

    inner_steps: int
    nonlinearity: str
    form: str


@dataclass(frozen=True)
class Case:
    """One form of the recurrence."""

    inner_steps: int = 1
    nonlinearity: str = "relu"
    form: str = "inner"
    norm: bool = True
    preliminary: bool = False

    def __str__(self) -> str:
        steps = "flat" if self.form == "flat" else f"S={self.inner_steps}"
        norms = " LN" * self.norm + ", preliminary LN" * self.preliminary
        return f"{steps} {self.nonlinearity}{norms}"

    @property
    def options(self) -> Options:
        """The arguments of the recurrence that are no arrays."""
        return Options(inner_steps=self.inner_steps, nonlinearity=self.nonlinearity, form=self.form)


CASES = (
    Case(),
    Case(inner_steps=2),
    Case(inner_steps=3, nonlinearity="tanh"),
    Case(nonlinearity="tanh", norm=False),
    Case(inner_steps=2, norm=False),
    Case(preliminary=True),
    Case(inner_steps=2, nonlinearity="tanh", preliminary=True),
    Case(form="flat", nonlinearity="tanh"),
    Case(form="flat", norm=False),
)
"""The forms that are checked."""


def run(case: Case, point: Parameters) -> tuple[FastWeightRNN, Outcome]:
    """Run the oracle at a point as `draw` makes them."""
    start = {name: point[name] for name in ("drive", "hidden", "memory")}
    weights = {name: point[name] for name in point if name not in start}
    network = FastWeightRNN(**weights, **case.options)
    return network, network.forward(**start)


def draw(case: Case, rng: np.random.Generator, *, batch: int, time: int, hidden: int) -> Parameters:
    """Draw every array argument of the recurrence, by name.

    No argument of f comes near ReLU's kink and no LN divides by next to nothing: finite differences say little there.
    Without LN the memory's reads grow with a power of h, so all is smaller then.
    """
    size = 1.0 if case.norm else 0.5
    while True:
        point = {
            "drive": size * rng.standard_normal((batch, time, hidden)),
            "recurrent_weight": 0.4 * size * rng.standard_normal((hidden, hidden)),
            "decay": np.array(0.9),
            "rate": np.array(0.3 * size),
            "hidden": size * rng.standard_normal((batch, hidden)),
            "memory": 0.3 * size * rng.standard_normal((batch, hidden, hidden)),
        }
        for prefix, there in (("norm", case.norm), ("preliminary_norm", case.preliminary)):
            if there:
                point[f"{prefix}_weight"] = 1 + 0.2 * rng.standard_normal(hidden)
                point[f"{prefix}_bias"] = 0.2 * rng.standard_normal(hidden)
        network, outcome = run(case, point)
        kink, deviation = network.clearance(outcome)
        if kink > TOTAL_KINK_MARGIN / outcome.outputs.size and deviation > LEAST_DEVIATION:
            return point


def check(seed: int = 0, *, batch: int = 2, time: int = 4, hidden: int = 4) -> list[Row]:
    """Hold the oracle's gradients against finite differences, from a random state; see `check_cases`.

    Example:
        >>> max(row["max_relative_error"] for row in check(batch=1, time=2, hidden=3)) < 1e-8
        True
    """

    def results(case: Case, point: Parameters) -> tuple[list[Array], Callable[..., Parameters]]:
        network, outcome = run(case, point)
        found = [outcome.outputs, outcome.hidden, outcome.memory]
        return found, partial(network.backward, outcome)

    drawn = partial(draw, batch=batch, time=time, hidden=hidden)
    return check_cases("fast_weight_rnn", CASES, seed, drawn, results)
