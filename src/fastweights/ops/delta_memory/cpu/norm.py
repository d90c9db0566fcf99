"""Layer normalisation without gain and bias, features as lines, so that no sum runs across lanes."""

from __future__ import annotations

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.simd import fma, lane_count, load, one, root, scalar, splat, store
from fastweights.kernels.types import Pointer, Real


@helper
def normalise(
    x: Pointer, step: int, size: int, columns: int, eps: Real, found: Pointer, scale: Pointer
) -> None:  # fmt: skip
    """found = (x - mean) / σ over `size` lines; keeps 1/σ in `scale`.

    The mean is taken from the first line on, so that of equal features, or of one, it is exact.
    """
    lanes = lane_count(x)
    zero = zeros(x, 1)[0]
    count = splat(scalar(eps, size))
    for column in range(0, columns, lanes):
        first, mean = load(x, column), zero
        for k in range(1, size):
            mean = mean + (load(x, k * step + column) - first)
        mean = first + mean / count
        variance = zero
        for k in range(size):
            away = load(x, k * step + column) - mean
            variance = fma(away, away, variance)
        sigma = one(x) / root(variance / count + splat(eps))
        store(scale, column, sigma)
        for k in range(size):
            place = k * step + column
            store(found, place, (load(x, place) - mean) * sigma)


@helper
def normalise_backward(
    gradient: Pointer, step: int, size: int, columns: int, eps: Real, found: Pointer,
    scale: Pointer, flow: Real,
) -> None:  # fmt: skip
    """Turn the gradient by x̂ into that by x, in place; flow = ⟨∂x, x⟩ of every lane.

    That is ⟨∂x̂, x̂⟩ ε / σ²: LN undoes any scale, but for ε; the sum itself would cancel.
    """
    lanes = lane_count(gradient)
    zero = zeros(gradient, 1)[0]
    count = splat(scalar(eps, size))
    for column in range(0, columns, lanes):
        mean, slope = zero, zero
        for k in range(size):
            g = load(gradient, k * step + column)
            mean = mean + g
            slope = fma(g, load(found, k * step + column), slope)
        sigma = load(scale, column)
        store(flow, column, slope * splat(eps) * sigma * sigma)
        mean, slope = mean / count, slope / count
        for k in range(size):
            place = k * step + column
            g = (
                load(gradient, place) - mean
            )  # before σ, which may be large: of one feature exactly 0
            store(gradient, place, fma(load(found, place), zero - slope, g) * sigma)
