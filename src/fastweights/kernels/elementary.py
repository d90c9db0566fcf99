"""Elementary functions of vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir

from fastweights.kernels import emit
from fastweights.kernels.emit import FLAGS, operation


@operation
def tanh(typingctx: Any, x: Any) -> Any:
    """tanh(x): to a few units in the last place, from t = exp(-2|x|) - 1 as -t / (2 + t)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _tanh(builder, args[0], x.scalar.bitwidth)

    return x(x), codegen


def _tanh(builder: Any, x: Any, bits: int) -> Any:
    """exp by range reduction, -2|x| = k log 2 + r, and the Taylor series of (exp(r) - 1) / r."""
    mantissa, bias, terms, deepest = (23, 127, 8, -40.0) if bits == 32 else (52, 1023, 14, -80.0)
    vector, count = x.type, x.type.count

    def constant(value: float) -> Any:
        return ir.Constant(vector, [value] * count)

    def add(a: Any, b: Any) -> Any:
        return builder.fadd(a, b, flags=FLAGS)

    def mul(a: Any, b: Any) -> Any:
        return builder.fmul(a, b, flags=FLAGS)

    positive = builder.fcmp_ordered(">", x, constant(0.0))
    y = mul(x, builder.select(positive, constant(-2.0), constant(2.0)))
    y = builder.select(builder.fcmp_ordered("<", y, constant(deepest)), constant(deepest), y)
    shift = constant(
        1.5 * 2.0**mantissa
    )  # adding it rounds to an integer, which its low bits then hold
    shifted = add(mul(y, constant(1 / math.log(2))), shift)
    k = builder.fsub(shifted, shift)
    high = float(np.float32(math.log(2)) if bits == 64 else np.float16(math.log(2)))
    r = emit.fma(builder, k, constant(-high), y)
    r = emit.fma(builder, k, constant(high - math.log(2)), r)
    series = constant(1 / math.factorial(terms))
    for n in range(terms - 1, 0, -1):
        series = emit.fma(builder, series, r, constant(1 / math.factorial(n)))
    integers = ir.VectorType(ir.IntType(bits), count)

    def integer(value: int) -> Any:
        return ir.Constant(integers, [value] * count)

    exponent = builder.shl(builder.bitcast(shifted, integers), integer(mantissa))
    scale = builder.bitcast(builder.add(exponent, integer(bias << mantissa)), vector)
    t = emit.fma(builder, mul(series, r), scale, add(scale, constant(-1.0)))
    size = builder.fdiv(builder.fneg(t), add(t, constant(2.0)), flags=FLAGS)
    return builder.select(positive, size, builder.fneg(size))
