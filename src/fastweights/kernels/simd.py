"""Explicit SIMD for Numba kernels: vectors, and register blocks of vectors, as values.

Plain loops leave most of a core idle in the contractions of a recurrence, so kernels say which values live in
registers. A `Vec` is one vector register; a block is a tuple of them, whose length is known to the compiler. Memory is
reached through typed pointers made from addresses (`pointer`), and indices count scalars, not vectors.

Only the fast-math flags `contract` and `nsz` are set: products and sums fuse, and NaN and infinities survive.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

from fastweights.kernels.isa import host

FLAGS = ("contract", "nsz")


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


# Building blocks of the emitted code -----------------------------------------------------------------------------------


def _address(builder: Any, base: Any, index: Any) -> Any:
    return builder.gep(base, [index])


def _load(builder: Any, vec: Any, base: Any, index: Any) -> Any:
    where = builder.bitcast(_address(builder, base, index), vec.as_pointer())
    value = builder.load(where)
    value.align = 4 if isinstance(vec.element, ir.FloatType) else 8
    return value


def _store(builder: Any, value: Any, base: Any, index: Any) -> None:
    where = builder.bitcast(_address(builder, base, index), value.type.as_pointer())
    builder.store(value, where, align=4 if isinstance(value.type.element, ir.FloatType) else 8)


def _splat(builder: Any, vec: Any, scalar: Any) -> Any:
    single = builder.insert_element(ir.Constant(vec, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vec.count), [0] * vec.count)
    return builder.shuffle_vector(single, ir.Constant(vec, ir.Undefined), zeros)


def _fma(builder: Any, x: Any, y: Any, z: Any) -> Any:
    return builder.fadd(builder.fmul(x, y, flags=FLAGS), z, flags=FLAGS)


def _at(builder: Any, index: Any, stride: Any, count: int) -> Any:
    return builder.add(index, builder.mul(stride, ir.Constant(stride.type, count)))


def _shuffle(builder: Any, x: Any, y: Any, order: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
    return builder.shuffle_vector(x, y, mask)


def _vec_of(base: types.CPointer) -> Vec:
    return Vec(base.dtype)


def _unpack(builder: Any, value: Any, count: int) -> list[Any]:
    return [builder.extract_value(value, i) for i in range(count)]


def _pack(context: Any, builder: Any, kind: types.UniTuple, values: list[Any]) -> Any:
    return context.make_tuple(builder, kind, values)


# Memory ----------------------------------------------------------------------------------------------------------------


@intrinsic
def pointer(typingctx: Any, address: Any, like: Any) -> Any:
    """pointer(address, like): a pointer to scalars of the type of `like` at an integer address."""
    kind = types.CPointer(like)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(kind))

    return kind(address, like), emit


@intrinsic
def offset(typingctx: Any, base: Any, index: Any) -> Any:
    """offset(p, i): the pointer i scalars further on."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _address(builder, args[0], args[1])

    return base(base, types.intp), emit


@intrinsic
def at(typingctx: Any, base: Any, index: Any) -> Any:
    """at(p, i): the scalar p[i]."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_address(builder, args[0], args[1]))

    return base.dtype(base, types.intp), emit


@intrinsic
def put(typingctx: Any, base: Any, index: Any, value: Any) -> Any:
    """put(p, i, x): p[i] = x for a scalar x."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _address(builder, args[0], args[1]))
        return context.get_dummy_value()

    return types.void(base, types.intp, base.dtype), emit


@intrinsic
def load(typingctx: Any, base: Any, index: Any) -> Any:
    """load(p, i): the vector at p[i]."""
    vec = _vec_of(base)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(builder, context.get_value_type(vec), *args)

    return vec(base, types.intp), emit


@intrinsic
def store(typingctx: Any, base: Any, index: Any, value: Any) -> Any:
    """store(p, i, v): write a vector at p[i]."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store(builder, args[2], args[0], args[1])
        return context.get_dummy_value()

    return types.void(base, types.intp, value), emit


@intrinsic
def splat(typingctx: Any, scalar: Any) -> Any:
    """splat(x): the scalar in every lane."""
    vec = Vec(scalar)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, context.get_value_type(vec), args[0])

    return vec(scalar), emit


@intrinsic
def scalar(typingctx: Any, like: Any, value: Any) -> Any:
    """scalar(like, n): the integer n in the type of the scalar `like`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sitofp(args[1], args[0].type)

    return like(like, types.intp), emit


@intrinsic
def one(typingctx: Any, base: Any) -> Any:
    """one(p): 1 in every lane of a vector of p's scalars."""
    vec = _vec_of(base)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(context.get_value_type(vec), [1.0] * vec.lanes)

    return vec(base), emit


@intrinsic
def lane_count(typingctx: Any, base: Any) -> Any:
    """lane_count(p): how many scalars of p's type a vector holds, as a constant."""
    count = lanes(base.dtype)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.intp, count)

    return types.intp(base), emit


# Arithmetic ------------------------------------------------------------------------------------------------------------


def _elementwise(build: Callable[..., Any], arity: int) -> Any:
    """Make an intrinsic of `arity` vectors from a function of the IR builder."""
    if arity == 1:

        @intrinsic
        def unary(typingctx: Any, x: Any) -> Any:
            return x(x), lambda context, builder, signature, args: build(builder, *args)

        return unary
    if arity == 2:

        @intrinsic
        def binary(typingctx: Any, x: Any, y: Any) -> Any:
            return x(x, x), lambda context, builder, signature, args: build(builder, *args)

        return binary

    @intrinsic
    def ternary(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
        return x(x, x, x), lambda context, builder, signature, args: build(builder, *args)

    return ternary


def _zero(x: Any) -> Any:
    return ir.Constant(x.type, [0.0] * x.type.count)


def _relu(builder: Any, x: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", x, _zero(x)), _zero(x), x)


def _where_positive(builder: Any, x: Any, y: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<=", x, _zero(x)), _zero(x), y)


_add = _elementwise(lambda builder, x, y: builder.fadd(x, y, flags=FLAGS), 2)
_sub = _elementwise(lambda builder, x, y: builder.fsub(x, y, flags=FLAGS), 2)
_mul = _elementwise(lambda builder, x, y: builder.fmul(x, y, flags=FLAGS), 2)
_div = _elementwise(lambda builder, x, y: builder.fdiv(x, y, flags=FLAGS), 2)
fma = _elementwise(_fma, 3)  # fma(x, y, z): x y + z
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


@intrinsic
def root(typingctx: Any, x: Any) -> Any:
    """root(x): the square root of every lane."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = args[0].type
        name = f"llvm.sqrt.v{x.lanes}f{x.scalar.bitwidth}"
        kind = ir.FunctionType(vector, [vector])
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(function, args)

    return x(x), emit


@intrinsic
def total(typingctx: Any, x: Any) -> Any:
    """total(x): the sum of the lanes, added in a fixed order."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, count = args[0], x.lanes
        while count > 1:
            count //= 2
            low = _shuffle(builder, value, value, list(range(count)))
            high = _shuffle(builder, value, value, list(range(count, 2 * count)))
            value = builder.fadd(low, high, flags=FLAGS)
        return builder.extract_element(value, ir.IntType(32)(0))

    return x.scalar(x), emit


@intrinsic
def tanh(typingctx: Any, x: Any) -> Any:
    """tanh(x): to a few units in the last place, from t = exp(-2|x|) - 1 as -t / (2 + t)."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _tanh(builder, args[0], x.scalar.bitwidth)

    return x(x), emit


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
    r = _fma(builder, k, constant(-high), y)
    r = _fma(builder, k, constant(high - math.log(2)), r)
    series = constant(1 / math.factorial(terms))
    for n in range(terms - 1, 0, -1):
        series = _fma(builder, series, r, constant(1 / math.factorial(n)))
    integers = ir.VectorType(ir.IntType(bits), count)

    def integer(value: int) -> Any:
        return ir.Constant(integers, [value] * count)

    exponent = builder.shl(builder.bitcast(shifted, integers), integer(mantissa))
    scale = builder.bitcast(builder.add(exponent, integer(bias << mantissa)), vector)
    t = _fma(builder, mul(series, r), scale, add(scale, constant(-1.0)))
    size = builder.fdiv(builder.fneg(t), add(t, constant(2.0)), flags=FLAGS)
    return builder.select(positive, size, builder.fneg(size))


# Register blocks -------------------------------------------------------------------------------------------------------


@intrinsic
def zeros(typingctx: Any, base: Any, count: Any) -> Any:
    """zeros(p, n): a block of n zero vectors of the type of p's scalars; n is a constant."""
    if not isinstance(count, types.IntegerLiteral):
        return None
    vec = _vec_of(base)
    kind = block(vec, count.literal_value)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = context.get_value_type(vec)
        zero = ir.Constant(vector, [0.0] * vec.lanes)
        return _pack(context, builder, kind, [zero] * kind.count)

    return kind(base, count), emit


@intrinsic
def load_rows(typingctx: Any, like: Any, base: Any, index: Any, stride: Any) -> Any:
    """load_rows(like, p, i, s): a block as tall as `like`, row r from p[i + r s]."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, base, index, stride = args
        vector = context.get_value_type(like.dtype)
        rows = [
            _load(builder, vector, base, _at(builder, index, stride, r)) for r in range(like.count)
        ]
        return _pack(context, builder, like, rows)

    return like(like, base, types.intp, types.intp), emit


@intrinsic
def store_rows(typingctx: Any, rows: Any, base: Any, index: Any, stride: Any) -> Any:
    """store_rows(rows, p, i, s): row r to p[i + r s]."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, base, index, stride = args
        for r, value in enumerate(_unpack(builder, values, rows.count)):
            _store(builder, value, base, _at(builder, index, stride, r))
        return context.get_dummy_value()

    return types.void(rows, base, types.intp, types.intp), emit


@intrinsic
def add_scaled_rows(typingctx: Any, rows: Any, base: Any, index: Any, stride: Any, x: Any) -> Any:
    """add_scaled_rows(rows, p, i, s, x): rows[r] + x (vector at p[i + r s])."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, base, index, stride, x = args
        sums = []
        for r, value in enumerate(_unpack(builder, values, rows.count)):
            row = _load(builder, x.type, base, _at(builder, index, stride, r))
            sums.append(_fma(builder, row, x, value))
        return _pack(context, builder, rows, sums)

    return rows(rows, base, types.intp, types.intp, rows.dtype), emit


@intrinsic
def add_outer(typingctx: Any, rows: Any, base: Any, index: Any, x: Any) -> Any:
    """add_outer(rows, p, i, x): rows[r] + p[i + r] x, one scalar of memory for each row."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, base, index, x = args
        sums = []
        for r, value in enumerate(_unpack(builder, values, rows.count)):
            place = _address(builder, base, builder.add(index, ir.Constant(index.type, r)))
            weight = _splat(builder, x.type, builder.load(place))
            sums.append(_fma(builder, weight, x, value))
        return _pack(context, builder, rows, sums)

    return rows(rows, base, types.intp, rows.dtype), emit


@intrinsic
def add_products(typingctx: Any, tile: Any, xs: Any, ys: Any) -> Any:
    """add_products(tile, xs, ys): tile[i, j] + xs[i] ys[j], the tile row by row in one block."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums = _unpack(builder, args[0], tile.count)
        left, right = (_unpack(builder, args[k], n.count) for k, n in ((1, xs), (2, ys)))
        for i, x in enumerate(left):
            for j, y in enumerate(right):
                k = i * ys.count + j
                sums[k] = _fma(builder, x, y, sums[k])
        return _pack(context, builder, tile, sums)

    return tile(tile, xs, ys), emit


@intrinsic
def fma_rows(typingctx: Any, rows: Any, xs: Any, y: Any) -> Any:
    """fma_rows(rows, xs, y): rows[r] + xs[r] y for a block xs and one vector y."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, left = (_unpack(builder, arg, rows.count) for arg in args[:2])
        sums = [_fma(builder, x, args[2], value) for x, value in zip(left, values, strict=True)]
        return _pack(context, builder, rows, sums)

    return rows(rows, rows, rows.dtype), emit


@intrinsic
def scale_rows(typingctx: Any, rows: Any, x: Any) -> Any:
    """scale_rows(rows, x): rows[r] x."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = _unpack(builder, args[0], rows.count)
        scaled = [builder.fmul(value, args[1], flags=FLAGS) for value in values]
        return _pack(context, builder, rows, scaled)

    return rows(rows, rows.dtype), emit


@intrinsic
def dot_rows(typingctx: Any, xs: Any, ys: Any, start: Any) -> Any:
    """dot_rows(xs, ys, start): start + Σ_r xs[r] ys[r], in two chains."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left, right = (_unpack(builder, arg, xs.count) for arg in args[:2])
        chains = [args[2], ir.Constant(args[2].type, [0.0] * args[2].type.count)]
        for r, (x, y) in enumerate(zip(left, right, strict=True)):
            chains[r % 2] = _fma(builder, x, y, chains[r % 2])
        return builder.fadd(*chains, flags=FLAGS)

    return xs.dtype(xs, xs, xs.dtype), emit


@intrinsic
def put_totals(typingctx: Any, tile: Any, like: Any, base: Any, index: Any, stride: Any) -> Any:
    """put_totals(tile, like, p, i, s): p[i + r s + c] = sum of the lanes of tile[r, c]; rows as long as `like`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, _, base, index, stride = args
        sums = _totals(builder, _unpack(builder, values, tile.count))
        for k, value in enumerate(sums):
            row, column = divmod(k, like.count)
            place = builder.add(_at(builder, index, stride, row), index.type(column))
            builder.store(value, _address(builder, base, place))
        return context.get_dummy_value()

    return types.void(tile, like, base, types.intp, types.intp), emit


def _totals(builder: Any, values: list[Any]) -> list[Any]:
    """Sum the lanes of many vectors at once, halving the number of vectors at every stage."""
    lanes = values[0].type.count
    even, odd = list(range(0, 2 * lanes, 2)), list(range(1, 2 * lanes, 2))
    zero = _zero(values[0])
    sums = []
    for first in range(0, len(values), lanes):
        group = values[first : first + lanes]
        real = len(group)
        group += [zero] * (lanes - real)
        while len(group) > 1:
            group = [
                builder.fadd(
                    _shuffle(builder, x, y, even), _shuffle(builder, x, y, odd), flags=FLAGS
                )
                for x, y in zip(group[::2], group[1::2], strict=True)
            ]
        sums += [builder.extract_element(group[0], ir.IntType(32)(k)) for k in range(real)]
    return sums


# Layout ----------------------------------------------------------------------------------------------------------------


@intrinsic
def transpose_tile(
    typingctx: Any,
    source: Any,
    i: Any,
    source_stride: Any,
    count: Any,
    spare: Any,
    target: Any,
    j: Any,
    target_stride: Any,
) -> Any:
    """transpose_tile(p, i, s, n, spare, q, j, d): q[j + c d + r] = p[i + r s + c] for a square tile of lanes.

    Rows r >= n are read from `spare` instead: the rows of a batch that is no multiple of the lanes.
    """
    vec = _vec_of(source)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, i, source_stride, count, spare, target, j, target_stride = args
        vector = context.get_value_type(vec)
        start = _address(builder, source, i)
        rows = []
        for r in range(vec.lanes):
            row = _address(builder, start, _at(builder, count.type(0), source_stride, r))
            real = builder.icmp_signed("<", count.type(r), count)
            rows.append(_load(builder, vector, builder.select(real, row, spare), count.type(0)))
        for r, column in enumerate(_transpose(builder, rows)):
            _store(builder, column, target, _at(builder, j, target_stride, r))
        return context.get_dummy_value()

    integer = types.intp
    signature = types.void(source, integer, integer, integer, source, source, integer, integer)
    return signature, emit


@intrinsic
def transpose_back(
    typingctx: Any,
    source: Any,
    i: Any,
    source_stride: Any,
    target: Any,
    j: Any,
    target_stride: Any,
    count: Any,
    spare: Any,
) -> Any:
    """transpose_back(p, i, s, q, j, d, n, spare): q[j + r d + c] = p[i + c s + r] for a square tile of lanes.

    Rows r >= n are written to `spare` instead.
    """
    vec = _vec_of(source)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, i, source_stride, target, j, target_stride, count, spare = args
        vector = context.get_value_type(vec)
        columns = [
            _load(builder, vector, source, _at(builder, i, source_stride, c))
            for c in range(vec.lanes)
        ]
        start = _address(builder, target, j)
        for r, row in enumerate(_transpose(builder, columns)):
            place = _address(builder, start, _at(builder, count.type(0), target_stride, r))
            real = builder.icmp_signed("<", count.type(r), count)
            _store(builder, row, builder.select(real, place, spare), count.type(0))
        return context.get_dummy_value()

    integer = types.intp
    signature = types.void(source, integer, integer, source, integer, integer, integer, source)
    return signature, emit


def _transpose(builder: Any, rows: list[Any]) -> list[Any]:
    """Transpose a square tile in registers: swap each bit of the row number with that bit of the lane number."""
    lanes = len(rows)
    bit = 1
    while bit < lanes:
        low = [lane if not lane & bit else lanes + lane - bit for lane in range(lanes)]
        high = [lane + bit if not lane & bit else lanes + lane for lane in range(lanes)]
        swapped = list(rows)
        for r in range(lanes):
            if not r & bit:
                swapped[r] = _shuffle(builder, rows[r], rows[r + bit], low)
                swapped[r + bit] = _shuffle(builder, rows[r], rows[r + bit], high)
        rows = swapped
        bit *= 2
    return rows
