"""Register blocks: tuples of vectors that stay in registers through the inner loop of a contraction."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from fastweights.kernels import emit
from fastweights.kernels.emit import operation
from fastweights.kernels.simd import block, vec_of


@operation
def zeros(typingctx: Any, base: Any, count: Any) -> Any:
    """zeros(p, n): a block of n zero vectors of the type of p's scalars; n is a constant."""
    if not isinstance(count, types.IntegerLiteral):
        return None
    vec = vec_of(base)
    kind = block(vec, count.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = context.get_value_type(vec)
        zero = ir.Constant(vector, [0.0] * vec.lanes)
        return emit.pack(context, builder, kind, [zero] * kind.count)

    return kind(base, count), codegen


@operation
def load_rows(typingctx: Any, like: Any, base: Any, index: Any, stride: Any) -> Any:
    """load_rows(like, p, i, s): a block as tall as `like`, row r from p[i + r s]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, base, index, stride = args
        vector = context.get_value_type(like.dtype)
        rows = [
            emit.load(builder, vector, base, emit.at(builder, index, stride, r))
            for r in range(like.count)
        ]
        return emit.pack(context, builder, like, rows)

    return like(like, base, types.intp, types.intp), codegen


@operation
def store_rows(typingctx: Any, rows: Any, base: Any, index: Any, stride: Any) -> Any:
    """store_rows(rows, p, i, s): row r to p[i + r s]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, base, index, stride = args
        for r, value in enumerate(emit.unpack(builder, values, rows.count)):
            emit.store(builder, value, base, emit.at(builder, index, stride, r))
        return context.get_dummy_value()

    return types.void(rows, base, types.intp, types.intp), codegen


@operation
def add_scaled_rows(typingctx: Any, rows: Any, base: Any, index: Any, stride: Any, x: Any) -> Any:
    """add_scaled_rows(rows, p, i, s, x): rows[r] + x (vector at p[i + r s])."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, base, index, stride, x = args
        sums = []
        for r, value in enumerate(emit.unpack(builder, values, rows.count)):
            row = emit.load(builder, x.type, base, emit.at(builder, index, stride, r))
            sums.append(emit.fma(builder, row, x, value))
        return emit.pack(context, builder, rows, sums)

    return rows(rows, base, types.intp, types.intp, rows.dtype), codegen


@operation
def add_outer(typingctx: Any, rows: Any, base: Any, index: Any, x: Any) -> Any:
    """add_outer(rows, p, i, x): rows[r] + p[i + r] x, one scalar of memory for each row."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, base, index, x = args
        sums = []
        for r, value in enumerate(emit.unpack(builder, values, rows.count)):
            place = emit.address(builder, base, builder.add(index, ir.Constant(index.type, r)))
            weight = emit.splat(builder, x.type, builder.load(place))
            sums.append(emit.fma(builder, weight, x, value))
        return emit.pack(context, builder, rows, sums)

    return rows(rows, base, types.intp, rows.dtype), codegen


@operation
def add_products(typingctx: Any, tile: Any, xs: Any, ys: Any) -> Any:
    """add_products(tile, xs, ys): tile[i, j] + xs[i] ys[j], the tile row by row in one block."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums = emit.unpack(builder, args[0], tile.count)
        left, right = (emit.unpack(builder, args[k], n.count) for k, n in ((1, xs), (2, ys)))
        for i, x in enumerate(left):
            for j, y in enumerate(right):
                k = i * ys.count + j
                sums[k] = emit.fma(builder, x, y, sums[k])
        return emit.pack(context, builder, tile, sums)

    return tile(tile, xs, ys), codegen


@operation
def fma_rows(typingctx: Any, rows: Any, xs: Any, y: Any) -> Any:
    """fma_rows(rows, xs, y): rows[r] + xs[r] y for a block xs and one vector y."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, left = (emit.unpack(builder, arg, rows.count) for arg in args[:2])
        sums = [emit.fma(builder, x, args[2], value) for x, value in zip(left, values, strict=True)]
        return emit.pack(context, builder, rows, sums)

    return rows(rows, rows, rows.dtype), codegen


@operation
def scale_rows(typingctx: Any, rows: Any, x: Any) -> Any:
    """scale_rows(rows, x): rows[r] x."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = emit.unpack(builder, args[0], rows.count)
        scaled = [builder.fmul(value, args[1]) for value in values]
        return emit.pack(context, builder, rows, scaled)

    return rows(rows, rows.dtype), codegen


@operation
def dot_rows(typingctx: Any, xs: Any, ys: Any, start: Any) -> Any:
    """dot_rows(xs, ys, start): start + Σ_r xs[r] ys[r], in two chains."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left, right = (emit.unpack(builder, arg, xs.count) for arg in args[:2])
        chains = [args[2], ir.Constant(args[2].type, [0.0] * args[2].type.count)]
        for r, (x, y) in enumerate(zip(left, right, strict=True)):
            chains[r % 2] = emit.fma(builder, x, y, chains[r % 2])
        return builder.fadd(*chains)

    return xs.dtype(xs, xs, xs.dtype), codegen


@operation
def put_totals(typingctx: Any, tile: Any, like: Any, base: Any, index: Any, stride: Any) -> Any:
    """put_totals(tile, like, p, i, s): p[i + r s + c] = sum of the lanes of tile[r, c]; rows as long as `like`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, _, base, index, stride = args
        sums = _totals(builder, emit.unpack(builder, values, tile.count))
        for k, value in enumerate(sums):
            row, column = divmod(k, like.count)
            place = builder.add(emit.at(builder, index, stride, row), index.type(column))
            builder.store(value, emit.address(builder, base, place))
        return context.get_dummy_value()

    return types.void(tile, like, base, types.intp, types.intp), codegen


def _totals(builder: Any, values: list[Any]) -> list[Any]:
    """Sum the lanes of many vectors at once, halving the number of vectors at every stage."""
    lanes = values[0].type.count
    even, odd = list(range(0, 2 * lanes, 2)), list(range(1, 2 * lanes, 2))
    zero = emit.zero(values[0])
    sums = []
    for first in range(0, len(values), lanes):
        group = values[first : first + lanes]
        real = len(group)
        group += [zero] * (lanes - real)
        while len(group) > 1:
            group = [
                builder.fadd(emit.shuffle(builder, x, y, even), emit.shuffle(builder, x, y, odd))
                for x, y in zip(group[::2], group[1::2], strict=True)
            ]
        sums += [builder.extract_element(group[0], ir.IntType(32)(k)) for k in range(real)]
    return sums
