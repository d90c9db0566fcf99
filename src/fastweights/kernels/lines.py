"""Arithmetic on stretches of memory, for sizes in scalars that are whole vectors."""

from __future__ import annotations

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.simd import fma, lane_count, load, splat, store
from fastweights.kernels.types import Pointer, Real, Vector


@helper
def clear(x: Pointer, size: int) -> None:
    """x = 0."""
    zero = zeros(x, 1)[0]
    for k in range(0, size, lane_count(x)):
        store(x, k, zero)


@helper
def copy(source: Pointer, target: Pointer, size: int) -> None:
    """target = source."""
    for k in range(0, size, lane_count(source)):
        store(target, k, load(source, k))


@helper
def add(source: Pointer, target: Pointer, size: int) -> None:
    """target += source."""
    for k in range(0, size, lane_count(source)):
        store(target, k, load(source, k) + load(target, k))


@helper
def add_scaled(source: Pointer, factor: Real, target: Pointer, size: int) -> None:
    """target += factor source."""
    factors = splat(factor)
    for k in range(0, size, lane_count(source)):
        store(target, k, fma(load(source, k), factors, load(target, k)))


@helper
def scale(x: Pointer, factor: Real, size: int) -> None:
    """x *= factor."""
    factors = splat(factor)
    for k in range(0, size, lane_count(x)):
        store(x, k, load(x, k) * factors)


@helper
def dot(x: Pointer, y: Pointer, size: int) -> Vector:
    """Σ_k x[k] y[k], lane by lane, in four chains; its `total` is ⟨x, y⟩."""
    lanes = lane_count(x)
    zero = zeros(x, 1)[0]
    a, b, c, d = zero, zero, zero, zero
    k = 0
    while k + 4 * lanes <= size:
        a = fma(load(x, k), load(y, k), a)
        b = fma(load(x, k + lanes), load(y, k + lanes), b)
        c = fma(load(x, k + 2 * lanes), load(y, k + 2 * lanes), c)
        d = fma(load(x, k + 3 * lanes), load(y, k + 3 * lanes), d)
        k += 4 * lanes
    while k < size:
        a = fma(load(x, k), load(y, k), a)
        k += lanes
    return (a + b) + (c + d)
