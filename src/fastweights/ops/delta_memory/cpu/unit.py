"""Keys and queries scaled to norm 1, x / √(‖x‖² + ε), as rows of a chunk are brought in, and the gradients back."""

from __future__ import annotations

import math

from fastweights.kernels.compile import helper
from fastweights.kernels.lines import dot, scale
from fastweights.kernels.simd import fma, lane_count, load, scalar, splat, store, total
from fastweights.kernels.types import Pointer, Real


@helper
def make_unit(x: Pointer, size: int, eps: Real, factor: Real) -> None:
    """x *= factor / √(‖x‖² + ε), `size` in whole vectors, beyond the row 0."""
    scale(x, factor / math.sqrt(total(dot(x, x, size)) + eps), size)


@helper
def make_unit_backward(x: Pointer, gradient: Pointer, size: int, eps: Real, factor: Real) -> None:
    """From the gradient of what `make_unit` makes of x to that of x, in place."""
    square = total(dot(x, x, size)) + eps
    along = scalar(eps, 0) - total(dot(x, gradient, size)) / square
    factors = splat(factor / math.sqrt(square))
    for k in range(0, size, lane_count(x)):
        store(gradient, k, fma(load(x, k), splat(along), load(gradient, k)) * factors)
