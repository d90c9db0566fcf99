"""Layer normalisation and nonlinearity of a state of lines, forward and backward."""

from __future__ import annotations

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.elementary import tanh
from fastweights.kernels.simd import (
    at,
    fma,
    lane_count,
    load,
    one,
    relu,
    root,
    scalar,
    splat,
    store,
    where_positive,
)
from fastweights.kernels.types import Pointer, Real, Vector


@helper
def power(base: Real, exponent: int) -> Real:
    """base ** exponent in the type of `base`, exponent >= 0."""
    result = scalar(base, 1)
    while exponent > 0:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


@helper
def _mean(y: Pointer, zero: Vector, inverse: Vector, size: int) -> Vector:
    """Return the mean, taken from the first feature on: of equal features, or of one, it is exact."""
    lanes = lane_count(y)
    first = load(y, 0)
    a, b, c, d = zero, zero, zero, zero
    k = 0
    last = size * lanes
    while k + 4 * lanes <= last:
        a = a + (load(y, k) - first)
        b = b + (load(y, k + lanes) - first)
        c = c + (load(y, k + 2 * lanes) - first)
        d = d + (load(y, k + 3 * lanes) - first)
        k += 4 * lanes
    while k < last:
        a = a + (load(y, k) - first)
        k += lanes
    return fma((a + b) + (c + d), inverse, first)


@helper
def _variance(y: Pointer, mean: Vector, zero: Vector, inverse: Vector, size: int) -> Vector:
    lanes = lane_count(y)
    a, b, c, d = zero, zero, zero, zero
    k = 0
    last = size * lanes
    while k + 4 * lanes <= last:
        p = load(y, k) - mean
        q = load(y, k + lanes) - mean
        r = load(y, k + 2 * lanes) - mean
        s = load(y, k + 3 * lanes) - mean
        a = fma(p, p, a)
        b = fma(q, q, b)
        c = fma(r, r, c)
        d = fma(s, s, d)
        k += 4 * lanes
    while k < last:
        p = load(y, k) - mean
        a = fma(p, p, a)
        k += lanes
    return ((a + b) + (c + d)) * inverse


@helper
def activate(y: Pointer, out: Pointer, use_tanh: int, size: int) -> None:
    """out = f(y)."""
    lanes = lane_count(y)
    if use_tanh:
        for k in range(0, size * lanes, lanes):
            store(out, k, tanh(load(y, k)))
    else:
        for k in range(0, size * lanes, lanes):
            store(out, k, relu(load(y, k)))


@helper
def normalise(
    y: Pointer, weight: Pointer, bias: Pointer, eps: Real, inverse: Real, use_tanh: int,
    moments: Pointer, out: Pointer, size: int,
) -> None:  # fmt: skip
    """out = f(LN(y)); keeps mean and 1/σ in `moments`; `inverse` is 1 / size."""
    lanes = lane_count(y)
    zero = zeros(y, 1)[0]
    mean = _mean(y, zero, splat(inverse), size)
    variance = _variance(y, mean, zero, splat(inverse), size)
    sigma = one(y) / root(variance + splat(eps))
    store(moments, 0, mean)
    store(moments, lanes, sigma)
    if use_tanh:
        for k in range(size):
            x = (load(y, k * lanes) - mean) * sigma
            store(out, k * lanes, tanh(fma(x, splat(at(weight, k)), splat(at(bias, k)))))
    else:
        for k in range(size):
            x = (load(y, k * lanes) - mean) * sigma
            store(out, k * lanes, relu(fma(x, splat(at(weight, k)), splat(at(bias, k)))))


@helper
def _slope(out: Vector, gradient: Vector, use_tanh: int, unit: Vector) -> Vector:
    """f'(…) gradient, with the slope taken from the activation f(…) itself; `unit` is 1."""
    if use_tanh:
        return gradient * (unit - out * out)
    return where_positive(out, gradient)


@helper
def activate_backward(
    gradient: Pointer, out: Pointer, use_tanh: int, start: Pointer, result: Pointer, size: int
) -> None:  # fmt: skip
    """result = start + f'(…) gradient, where `out` is f(…)."""
    lanes = lane_count(out)
    unit = one(out)
    for k in range(0, size * lanes, lanes):
        store(result, k, load(start, k) + _slope(load(out, k), load(gradient, k), use_tanh, unit))


@helper
def normalise_backward(
    gradient: Pointer, out: Pointer, use_tanh: int, y: Pointer, moments: Pointer, weight: Pointer,
    inverse: Real, weight_gradient: Pointer, bias_gradient: Pointer, result: Pointer, size: int,
) -> None:  # fmt: skip
    """From the gradient by out = f(LN(y)) to the gradient by y; adds to the gradients of gain and bias."""
    lanes = lane_count(gradient)
    zero, unit = zeros(gradient, 1)[0], one(gradient)
    total, slope = zero, zero
    mean, sigma = load(moments, 0), load(moments, lanes)
    for k in range(size):
        g = _slope(load(out, k * lanes), load(gradient, k * lanes), use_tanh, unit)
        x = (load(y, k * lanes) - mean) * sigma
        store(weight_gradient, k * lanes, fma(g, x, load(weight_gradient, k * lanes)))
        store(bias_gradient, k * lanes, g + load(bias_gradient, k * lanes))
        g = g * splat(at(weight, k))
        store(result, k * lanes, g)
        total = total + g
        slope = fma(g, x, slope)
    total, slope = total * splat(inverse), slope * splat(inverse)
    for k in range(size):
        g = (
            load(result, k * lanes) - total
        )  # before σ, which may be large: of one feature exactly 0
        x = (load(y, k * lanes) - mean) * sigma
        store(result, k * lanes, fma(x, zero - slope, g) * sigma)
