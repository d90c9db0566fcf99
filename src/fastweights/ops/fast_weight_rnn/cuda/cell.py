"""What both passes do with one state: layer normalisation and nonlinearity, forward and backward.

A state is a vector of SIZE ≥ H numbers, 0 from H on; `real` says which of them there are.
"""

from __future__ import annotations

import triton.language as tl

from fastweights.kernels.triton.language import Tile, constexpr, helper


@helper
def activate(x: Tile, TANH: constexpr) -> Tile:
    """f(x); NaN stays NaN, which `tl.maximum` would lose on a device."""
    return tanh(x) if TANH else tl.where(x <= 0, 0.0, x)


@helper
def tanh(x: Tile) -> Tile:
    """tanh(x): (1 - e) / (1 + e) with e = exp(-2|x|) cancels near 0, where single precision takes the series."""
    e = tl.exp(-2.0 * tl.abs(x))
    size = (1.0 - e) / (1.0 + e)
    found = tl.where(x < 0, -size, size)
    if x.dtype == tl.float32:
        y = x * x
        terms = 62.0 / 2835 - y * (1382.0 / 155925)
        terms = 2.0 / 15 - y * (17.0 / 315 - y * terms)
        found = tl.where(y < 0.04, x - x * y * (1.0 / 3 - y * terms), found)
    return found


@helper
def activate_backward(gradient: Tile, after: Tile, TANH: constexpr) -> Tile:
    """f'(…) times a gradient, the slope taken from `after`, which is f(…)."""
    return gradient * (1.0 - after * after) if TANH else tl.where(after > 0, gradient, 0.0)


@helper
def standardise(y: Tile, real: Tile, EPS: constexpr, H: constexpr) -> tuple[Tile, Tile]:
    """(y - mean) / σ, which is exactly 0 of a single feature, and 1 / σ."""
    y = tl.where(real, y, 0.0)
    rest = tl.where(real, y - tl.sum(y, 0) / H, 0.0)
    inverse = 1.0 / tl.sqrt(tl.sum(rest * rest, 0) / H + EPS)
    return rest * inverse, inverse


@helper
def standardise_backward(
    gradient: Tile, standard: Tile, inverse: Tile, real: Tile, H: constexpr
) -> Tile:
    """From the gradient by (y - mean) / σ, 0 from H on, to that by y."""
    mean = tl.sum(gradient, 0) / H
    slope = tl.sum(gradient * standard, 0) / H
    return tl.where(real, (gradient - mean - standard * slope) * inverse, 0.0)
