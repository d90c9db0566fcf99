"""Elementary functions of vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir

from fastweights.kernels import emit
from fastweights.kernels.emit import operation


@operation
def tanh(typingctx: Any, x: Any) -> Any:
    """tanh(x): to a few units in the last place, from t = exp(-2|x|) - 1 as -t / (2 + t)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, one, two = args[0], _constant(args[0], 1.0), _constant(args[0], 2.0)
        positive = builder.fcmp_ordered(">", value, _constant(value, 0.0))
        slope = builder.select(positive, _constant(value, -2.0), two)
        least = -40.0 if x.scalar.bitwidth == 32 else -80.0
        above, scale = _exp_parts(builder, builder.fmul(value, slope), least)
        t = emit.fma(builder, above, scale, builder.fsub(scale, one))
        size = builder.fdiv(builder.fneg(t), builder.fadd(t, two))
        return builder.select(positive, size, builder.fneg(size))

    return x(x), codegen


@operation
def sigmoid(typingctx: Any, x: Any) -> Any:
    """sigmoid(x): 1 / (1 + exp(-x)) to a few units in the last place and |x| more below 0, from e = exp(-|x|).

    Exactly 0 where e is no normal number: a slope of next to nothing would be one again times a large weight.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, one = args[0], _constant(args[0], 1.0)
        positive = builder.fcmp_ordered(">", value, _constant(value, 0.0))
        least = -87.0 if x.scalar.bitwidth == 32 else -708.0
        y = builder.select(positive, builder.fneg(value), value)
        above, scale = _exp_parts(builder, y, least)
        e = emit.fma(builder, above, scale, scale)
        below = builder.fcmp_ordered("<", y, _constant(value, least))
        e = builder.select(below, _constant(value, 0.0), e)
        size = builder.select(positive, one, e)
        return builder.fdiv(size, builder.fadd(e, one))

    return x(x), codegen


def _constant(like: Any, value: float) -> Any:
    return ir.Constant(like.type, [value] * like.type.count)


def _exp_parts(builder: Any, y: Any, least: float) -> tuple[Any, Any]:
    """a and a power of two s with exp(y) = s (1 + a), for y ≤ 0; below `least` as if it were that.

    Range reduction y = k log 2 + r, s = 2^k, and the Taylor series of exp(r) - 1.
    """
    bits = 32 if isinstance(y.type.element, ir.FloatType) else 64
    mantissa, bias, terms = (23, 127, 8) if bits == 32 else (52, 1023, 14)
    lowest = _constant(y, least)
    y = builder.select(builder.fcmp_ordered("<", y, lowest), lowest, y)
    # Adding this rounds to an integer, which the low bits of the sum then hold.
    shift = _constant(y, 1.5 * 2.0**mantissa)
    scaled = builder.fmul(y, _constant(y, 1 / math.log(2)))
    shifted = builder.fadd(scaled, shift)
    k = builder.fsub(shifted, shift)
    high = float(np.float32(math.log(2)) if bits == 64 else np.float16(math.log(2)))
    r = emit.fma(builder, k, _constant(y, -high), y)
    r = emit.fma(builder, k, _constant(y, high - math.log(2)), r)
    series = _constant(y, 1 / math.factorial(terms))
    for n in range(terms - 1, 0, -1):
        series = emit.fma(builder, series, r, _constant(y, 1 / math.factorial(n)))
    integers = ir.VectorType(ir.IntType(bits), y.type.count)

    def integer(value: int) -> Any:
        return ir.Constant(integers, [value] * y.type.count)

    exponent = builder.shl(builder.bitcast(shifted, integers), integer(mantissa))
    scale = builder.bitcast(builder.add(exponent, integer(bias << mantissa)), y.type)
    return builder.fmul(series, r), scale
