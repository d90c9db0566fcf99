"""Finite differences, and the check of the hand-derived gradients against them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from fastweights.oracle.fast_weight_rnn import Array, FastWeightRNN, Outcome

Parameters = dict[str, Array]

STEP = 1e-4
LEAST_DEVIATION = 0.25
KINK_MARGIN = 0.6  # divided by how many there are: the more, the nearer the nearest


class Row(TypedDict):
    """One line of the check: the relative error of one parameter's gradient in one case of an op."""

    op: str
    case: str
    parameter: str
    max_relative_error: float


def differences(
    function: Callable[[Parameters], float], parameters: Parameters, step: float = STEP
) -> Parameters:
    """Differentiate a scalar function of named arrays by central finite differences of fourth order.

    Args:
        function: called with arrays of the same names and shapes.
        parameters: the point.
        step: distance h of the stencil; the error is O(h⁴) + rounding/h.

    Returns:
        The gradient of every array, by name.

    Example:
        >>> slope = differences(lambda p: float((p["x"] ** 3).sum()), {"x": np.array([2.0])})
        >>> round(float(slope["x"][0]), 9)
        12.0
    """
    gradients = {}
    for name, value in parameters.items():
        gradient = np.zeros_like(value)
        for index in np.ndindex(value.shape):

            def at(offset: float, name: str = name, index: tuple[int, ...] = index) -> float:
                moved = parameters[name].copy()
                moved[index] += offset
                return function(parameters | {name: moved})

            near, far = at(step) - at(-step), at(2 * step) - at(-2 * step)
            gradient[index] = (8 * near - far) / (12 * step)
        gradients[name] = gradient
    return gradients


def relative_error(a: Array | float, b: Array | float) -> float:
    """Return ‖a − b‖ / max(‖a‖, ‖b‖), 0 where both are zero.

    Example:
        >>> relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.5])) < 0.1
        True
    """
    scale = max(float(np.linalg.norm(a)), float(np.linalg.norm(b)))
    return float(np.linalg.norm(a - b)) / scale if scale else 0.0


def compare(op: str, case: str, derived: Parameters, found: Parameters) -> list[Row]:
    """Return the line of every parameter: its derived gradient against the one found by differences."""
    return [
        Row(
            op=op,
            case=case,
            parameter=name,
            max_relative_error=relative_error(derived[name], gradient),
        )
        for name, gradient in found.items()
    ]


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
    def options(self) -> dict[str, Any]:
        """The arguments of the recurrence that are no arrays."""
        return {name: getattr(self, name) for name in ("inner_steps", "nonlinearity", "form")}


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
    weights: dict[str, Any] = {name: point[name] for name in point if name not in start}
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
        if kink > KINK_MARGIN / outcome.outputs.size and deviation > LEAST_DEVIATION:
            return point


def check(seed: int = 0, *, batch: int = 2, time: int = 4, hidden: int = 4) -> list[Row]:
    """Hold the oracle's gradient of every argument against finite differences, in every form.

    The scalar is a random linear function of the outputs and of the final h and A, the start a random state.

    Returns:
        One row per case and parameter with `max_relative_error` as `relative_error` defines it.

    Example:
        >>> max(row["max_relative_error"] for row in check(batch=1, time=2, hidden=3)) < 1e-8
        True
    """
    rows: list[Row] = []
    for number, case in enumerate(CASES):
        rng = np.random.default_rng([seed, number])
        point = draw(case, rng, batch=batch, time=time, hidden=hidden)
        network, outcome = run(case, point)
        found = (outcome.outputs, outcome.hidden, outcome.memory)
        given = [rng.standard_normal(array.shape) for array in found]

        def loss(at: Parameters, case: Case = case, given: list[Array] = given) -> float:
            _, moved = run(case, at)
            parts = zip(given, (moved.outputs, moved.hidden, moved.memory), strict=True)
            return sum(float((weight * array).sum()) for weight, array in parts)

        derived = network.backward(outcome, *given)
        rows += compare("fast_weight_rnn", str(case), derived, differences(loss, point))
    return rows
