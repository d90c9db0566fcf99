"""Finite differences, and how a hand-derived gradient is compared with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import numpy as np

from fastweights.oracle import Array

Parameters = dict[str, Array]

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
