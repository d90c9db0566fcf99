"""Explicit SIMD for Numba kernels: vectors, and register blocks of vectors, as values.

Plain loops leave most of a core idle in the contractions of a recurrence, so kernels say which values live in
registers. A `Vec` is one vector register; a block is a tuple of them, whose length is known to the compiler. Memory is
reached through typed pointers made from addresses (`pointer`), and indices count scalars, not vectors.

No fast-math flag is set: every operation is rounded as it stands, `fma` alone fuses, and NaN and infinities survive.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import models, overload, register_model

from fastweights.kernels import emit
from fastweights.kernels.emit import operation
from fastweights.kernels.isa import host


class Vec(types.Type):
    """The Numba type of a vector register of `lanes` scalars."""

    def __init__(self, scalar: types.Float) -> None:
        self.scalar = scalar
        self.lanes = lanes(scalar)
        super().__init__(name=f"Vec({scalar}x{self.lanes})")


def lanes(scalar: types.Float) -> int:
    """Return how many scalars of a Numba type a vector register of this machine holds."""
    return host().vector_bytes // (scalar.bitwidth // 8)


@register_model(Vec)
class VecModel(models.PrimitiveModel):
    """A `Vec` is an LLVM vector."""

    def __init__(self, manager: Any, fe_type: Vec) -> None:
        element = ir.FloatType() if fe_type.scalar.bitwidth == 32 else ir.DoubleType()
        super().__init__(manager, fe_type, ir.VectorType(element, fe_type.lanes))


def block(vec: Vec, count: int) -> types.UniTuple:
    """Return the type of a register block of `count` vectors."""
    return types.UniTuple(vec, count)


def vec_of(base: types.CPointer) -> Vec:
    """Return the vector type of what a pointer points at."""
    return Vec(base.dtype)


@operation
def pointer(typingctx: Any, address: Any, like: Any) -> Any:
    """pointer(address, like): a pointer to scalars of the type of `like` at an integer address."""
    kind = types.CPointer(like)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(kind))

    return kind(address, like), codegen


@operation
def offset(typingctx: Any, base: Any, index: Any) -> Any:
    """offset(p, i): the pointer i scalars further on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.address(builder, args[0], args[1])

    return base(base, types.intp), codegen


@operation
def at(typingctx: Any, base: Any, index: Any) -> Any:
    """at(p, i): the scalar p[i]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(emit.address(builder, args[0], args[1]))

    return base.dtype(base, types.intp), codegen


@operation
def put(typingctx: Any, base: Any, index: Any, value: Any) -> Any:
    """put(p, i, x): p[i] = x for a scalar x."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], emit.address(builder, args[0], args[1]))
        return context.get_dummy_value()

    return types.void(base, types.intp, base.dtype), codegen


@operation
def load(typingctx: Any, base: Any, index: Any) -> Any:
    """load(p, i): the vector at p[i]."""
    vec = vec_of(base)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.load(builder, context.get_value_type(vec), *args)

    return vec(base, types.intp), codegen


@operation
def store(typingctx: Any, base: Any, index: Any, value: Any) -> Any:
    """store(p, i, v): write a vector at p[i]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit.store(builder, args[2], args[0], args[1])
        return context.get_dummy_value()

    return types.void(base, types.intp, value), codegen


@operation
def splat(typingctx: Any, scalar: Any) -> Any:
    """splat(x): the scalar in every lane."""
    vec = Vec(scalar)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.splat(builder, context.get_value_type(vec), args[0])

    return vec(scalar), codegen


@operation
def scalar(typingctx: Any, like: Any, value: Any) -> Any:
    """scalar(like, n): the integer n in the type of the scalar `like`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sitofp(args[1], args[0].type)

    return like(like, types.intp), codegen


@operation
def one(typingctx: Any, base: Any) -> Any:
    """one(p): 1 in every lane of a vector of p's scalars."""
    vec = vec_of(base)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(context.get_value_type(vec), [1.0] * vec.lanes)

    return vec(base), codegen


@operation
def lane_count(typingctx: Any, base: Any) -> Any:
    """lane_count(p): how many scalars of p's type a vector holds, as a constant."""
    count = lanes(base.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.intp, count)

    return types.intp(base), codegen


def _elementwise(build: Callable[..., Any], arity: int) -> Any:
    """Return an operation on `arity` vectors, given a function of the IR builder and their values."""
    if arity == 1:

        @operation
        def unary(typingctx: Any, x: Any) -> Any:
            return x(x), lambda context, builder, signature, args: build(builder, *args)

        return unary
    if arity == 2:

        @operation
        def binary(typingctx: Any, x: Any, y: Any) -> Any:
            return x(x, x), lambda context, builder, signature, args: build(builder, *args)

        return binary

    @operation
    def ternary(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
        return x(x, x, x), lambda context, builder, signature, args: build(builder, *args)

    return ternary


def _relu(builder: Any, x: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", x, emit.zero(x)), emit.zero(x), x)


def _where_positive(builder: Any, x: Any, y: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<=", x, emit.zero(x)), emit.zero(x), y)


_add = _elementwise(lambda builder, x, y: builder.fadd(x, y), 2)
_sub = _elementwise(lambda builder, x, y: builder.fsub(x, y), 2)
_mul = _elementwise(lambda builder, x, y: builder.fmul(x, y), 2)
_div = _elementwise(lambda builder, x, y: builder.fdiv(x, y), 2)
fma = _elementwise(emit.fma, 3)  # fma(x, y, z): x y + z
relu = _elementwise(_relu, 1)  # relu(x): max(x, 0), NaN stays
where_positive = _elementwise(
    _where_positive, 2
)  # where_positive(x, y): y where x > 0 or NaN, else 0


def _overload_operator(function: Any, implementation: Any) -> None:
    def typed(x, y):  # Numba compares this signature with the lambda's, annotations included
        if isinstance(x, Vec) and isinstance(y, Vec):
            return lambda x, y: implementation(x, y)
        return None

    overload(function)(inspect.unwrap(typed))


for _function, _implementation in (
    (operator.add, _add),
    (operator.sub, _sub),
    (operator.mul, _mul),
    (operator.truediv, _div),
):
    _overload_operator(_function, _implementation)


@operation
def where_at_most(typingctx: Any, x: Any, y: Any, yes: Any, no: Any) -> Any:
    """where_at_most(x, y, a, b): a where x ≤ y, else b."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, y, yes, no = args
        return builder.select(builder.fcmp_ordered("<=", x, y), yes, no)

    return x(x, x, x, x), codegen


@operation
def root(typingctx: Any, x: Any) -> Any:
    """root(x): the square root of every lane."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = args[0].type
        name = f"llvm.sqrt.v{x.lanes}f{x.scalar.bitwidth}"
        kind = ir.FunctionType(vector, [vector])
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(function, args)

    return x(x), codegen


@operation
def total(typingctx: Any, x: Any) -> Any:
    """total(x): the sum of the lanes, added in a fixed order."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, count = args[0], x.lanes
        while count > 1:
            count //= 2
            low = emit.shuffle(builder, value, value, list(range(count)))
            high = emit.shuffle(builder, value, value, list(range(count, 2 * count)))
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.IntType(32)(0))

    return x.scalar(x), codegen
