"""Finite differences, and the check of the hand-derived gradients against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import numpy as np

from fastweights.oracle.fast_weight_rnn import Array, FastWeightRNN

Parameters = dict[str, Array]

STEP = 3e-4
KINK_MARGIN = 0.02


class Row(TypedDict):
    """One line of the check: the relative error of one parameter's gradient in one case."""

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


def relative_error(a: Array, b: Array) -> float:
    """Return ‖a − b‖ / max(‖a‖, ‖b‖), 0 where both are zero.

    Example:
        >>> relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.5])) < 0.1
        True
    """
    scale = max(float(np.linalg.norm(a)), float(np.linalg.norm(b)))
    return float(np.linalg.norm(a - b)) / scale if scale else 0.0


CASES: dict[str, dict[str, int | str | bool]] = {
    "S=1 relu LN": {},
    "S=2 relu LN": {"inner_steps": 2},
    "S=3 tanh LN": {"inner_steps": 3, "nonlinearity": "tanh"},
    "S=1 tanh": {"nonlinearity": "tanh", "norm": False},
    "S=2 relu": {"inner_steps": 2, "norm": False},
    "S=2 tanh LN, preliminary LN": {"inner_steps": 2, "nonlinearity": "tanh", "preliminary": True},
    "S=1 relu LN, preliminary LN": {"preliminary": True},
    "flat tanh LN": {"form": "flat", "nonlinearity": "tanh"},
    "flat relu": {"form": "flat", "norm": False},
}
"""The forms of the recurrence that are checked; `norm` and `preliminary` say which LNs there are."""


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
    for number, (case, options) in enumerate(CASES.items()):
        rng = np.random.default_rng([seed, number])
        shape = {"norm": True, "preliminary": False} | options
        fixed = {key: shape.pop(key) for key in ("norm", "preliminary")}
        parameters = _draw(rng, batch, time, hidden, shape, **fixed)
        co_outputs = rng.standard_normal((batch, time, hidden))
        co_hidden = rng.standard_normal((batch, hidden))
        co_memory = rng.standard_normal((batch, hidden, hidden))

        def loss(point: Parameters, shape=shape, o=co_outputs, h=co_hidden, m=co_memory) -> float:
            outcome = _forward(point, shape)[1]
            return float(
                (outcome.outputs * o).sum()
                + (outcome.hidden * h).sum()
                + (outcome.memory * m).sum()
            )

        network, outcome = _forward(parameters, shape)
        derived = network.backward(outcome, co_outputs, co_hidden, co_memory)
        measured = differences(loss, parameters)
        rows += [
            Row(case=case, parameter=name, max_relative_error=relative_error(derived[name], value))
            for name, value in measured.items()
        ]
    return rows


def _forward(point: Parameters, shape: dict):
    start = {name: point[name] for name in ("drive", "hidden", "memory")}
    rest = {name: value for name, value in point.items() if name not in start}
    network = FastWeightRNN(**rest, **shape)
    return network, network.forward(**start)


def _draw(
    rng: np.random.Generator,
    batch: int,
    time: int,
    hidden: int,
    shape: dict,
    *,
    norm: bool,
    preliminary: bool,
) -> Parameters:
    """Draw a point at which no argument of f is near ReLU's kink, where finite differences say nothing."""
    size = 1.0 if norm else 0.5  # without LN the memory's reads grow with the fourth power of h
    while True:
        point = {
            "drive": size * rng.standard_normal((batch, time, hidden)),
            "recurrent_weight": 0.4 * size * rng.standard_normal((hidden, hidden)),
            "decay": np.array(0.9),
            "rate": np.array(0.3 * size),
            "hidden": size * rng.standard_normal((batch, hidden)),
            "memory": 0.3 * size * rng.standard_normal((batch, hidden, hidden)),
        }
        for prefix, there in (("norm", norm), ("preliminary_norm", preliminary)):
            if there:
                point[f"{prefix}_weight"] = 1 + 0.2 * rng.standard_normal(hidden)
                point[f"{prefix}_bias"] = 0.2 * rng.standard_normal(hidden)
        network, outcome = _forward(point, shape)
        if shape.get("nonlinearity") == "tanh" or network.kink_distance(outcome) > KINK_MARGIN:
            return point
