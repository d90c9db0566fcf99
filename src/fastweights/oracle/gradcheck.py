"""Finite differences, and how a hand-derived gradient is compared with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict, TypeVar

import numpy as np

from fastweights.oracle import Array

Parameters = dict[str, Array]
C = TypeVar("C")

STEP = 1e-4


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


def check_cases(
    op: str,
    cases: Sequence[C],
    seed: int,
    draw: Callable[[C, np.random.Generator], Parameters],
    run: Callable[[C, Parameters], tuple[Sequence[Array], Callable[..., Parameters]]],
) -> list[Row]:
    """Hold the derived gradient of every parameter against finite differences, in every case.

    The scalar is a random linear function of the results.

    Args:
        op: for the rows.
        cases: forms of the op; a row calls each by its `str`.
        seed: of everything drawn.
        draw: the parameters of a case.
        run: a case at its parameters: the results, and what takes gradients on these to those of all parameters.
    """
    rows: list[Row] = []
    for number, case in enumerate(cases):
        rng = np.random.default_rng([seed, number])
        point = draw(case, rng)
        results, backward = run(case, point)
        weights = [rng.standard_normal(array.shape) for array in results]

        def loss(at: Parameters, case: C = case, weights: list[Array] = weights) -> float:
            moved, _ = run(case, at)
            return sum(float((w * array).sum()) for w, array in zip(weights, moved, strict=True))

        derived = backward(*weights)
        for name, found in differences(loss, point).items():
            error = relative_error(derived[name], found)
            rows.append(Row(op=op, case=str(case), parameter=name, max_relative_error=error))
    return rows
