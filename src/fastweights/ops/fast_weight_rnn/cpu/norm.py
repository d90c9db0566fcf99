"""Layer normalisation and nonlinearity of a state of lines, forward and backward."""

from __future__ import annotations

from typing import Any

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


@helper
def power(base: Any, exponent: int) -> Any:
    """base ** exponent in the type of `base`, exponent >= 0."""
    result = scalar(base, 1)
    while exponent > 0:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


@helper
def add_lines(y: Any, x: Any, scale: Any, size: int) -> None:
    """y += scale x."""
    lanes = lane_count(y)
    for k in range(0, size * lanes, lanes):
        store(y, k, fma(load(x, k), scale, load(y, k)))


@helper
def copy_lines(y: Any, x: Any, size: int) -> None:
    """y = x."""
    lanes = lane_count(y)
    for k in range(0, size * lanes, lanes):
        store(y, k, load(x, k))


@helper
def clear(y: Any, size: int) -> None:
    """y = 0."""
    lanes = lane_count(y)
    zero = zeros(y, 1)[0]
    for k in range(0, size * lanes, lanes):
        store(y, k, zero)


@helper
def dot_lines(x: Any, y: Any, size: int) -> Any:
    """⟨x, y⟩ in every lane, in four chains."""
    lanes = lane_count(x)
    zero = zeros(x, 1)[0]
    a, b, c, d = zero, zero, zero, zero
    k = 0
    last = size * lanes
    while k + 4 * lanes <= last:
        a = fma(load(x, k), load(y, k), a)
        b = fma(load(x, k + lanes), load(y, k + lanes), b)
        c = fma(load(x, k + 2 * lanes), load(y, k + 2 * lanes), c)
        d = fma(load(x, k + 3 * lanes), load(y, k + 3 * lanes), d)
        k += 4 * lanes
    while k < last:
        a = fma(load(x, k), load(y, k), a)
        k += lanes
    return (a + b) + (c + d)


@helper
def _mean(y: Any, zero: Any, inverse: Any, size: int) -> Any:
    lanes = lane_count(y)
    a, b, c, d = zero, zero, zero, zero
    k = 0
    last = size * lanes
    while k + 4 * lanes <= last:
        a = a + load(y, k)
        b = b + load(y, k + lanes)
        c = c + load(y, k + 2 * lanes)
        d = d + load(y, k + 3 * lanes)
        k += 4 * lanes
    while k < last:
        a = a + load(y, k)
        k += lanes
    return ((a + b) + (c + d)) * inverse


@helper
def _variance(y: Any, mean: Any, zero: Any, inverse: Any, size: int) -> Any:
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
def activate(y: Any, out: Any, use_tanh: int, size: int) -> None:
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
    y: Any,
    weight: Any,
    bias: Any,
    eps: Any,
    inverse: Any,
    use_tanh: int,
    moments: Any,
    out: Any,
    size: int,
) -> None:
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
def _slope(out: Any, gradient: Any, use_tanh: int, unit: Any) -> Any:
    """f'(…) gradient, with the slope taken from the activation f(…) itself; `unit` is 1."""
    if use_tanh:
        return gradient * (unit - out * out)
    return where_positive(out, gradient)


@helper
def activate_backward(
    gradient: Any, out: Any, use_tanh: int, start: Any, result: Any, size: int
) -> None:  # fmt: skip
    """result = start + f'(…) gradient, where `out` is f(…)."""
    lanes = lane_count(out)
    unit = one(out)
    for k in range(0, size * lanes, lanes):
        store(result, k, load(start, k) + _slope(load(out, k), load(gradient, k), use_tanh, unit))


@helper
def normalise_backward(
    gradient: Any,
    out: Any,
    use_tanh: int,
    y: Any,
    moments: Any,
    weight: Any,
    inverse: Any,
    weight_gradient: Any,
    bias_gradient: Any,
    result: Any,
    size: int,
) -> None:
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
    total = total * splat(inverse) * sigma
    slope = slope * splat(inverse) * sigma
    for k in range(size):
        g = fma(load(result, k * lanes), sigma, zero - total)
        x = (load(y, k * lanes) - mean) * sigma
        store(result, k * lanes, fma(x, zero - slope, g))
