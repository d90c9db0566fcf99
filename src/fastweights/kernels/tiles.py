"""Tiles: register blocks of a few rows by one or two vectors, what a matrix product holds while it runs.

A tile is a block whose rows are as long as a smaller block that goes with it (`like`), so that one helper serves tiles
of any width and is compiled once for each.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from fastweights.kernels import emit
from fastweights.kernels.emit import operation
from fastweights.kernels.simd import block


@operation
def zero_tile(typingctx: Any, like: Any, rows: Any) -> Any:
    """zero_tile(like, n): n rows of zeros, each as long as `like`; n is a constant."""
    if not isinstance(rows, types.IntegerLiteral):
        return None
    kind = block(like.dtype, rows.literal_value * like.count)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(context.get_value_type(like.dtype), [0.0] * like.dtype.lanes)
        return emit.pack(context, builder, kind, [zero] * kind.count)

    return kind(like, rows), codegen


@operation
def load_tile(typingctx: Any, tile: Any, like: Any, base: Any, index: Any, stride: Any) -> Any:
    """load_tile(tile, like, p, i, s): a tile as large as `tile`, row r from p[i + r s] on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, _, base, index, stride = args
        vector = context.get_value_type(like.dtype)
        places = _places(builder, tile, like, index, stride)
        values = [emit.load(builder, vector, base, place) for place in places]
        return emit.pack(context, builder, tile, values)

    return tile(tile, like, base, types.intp, types.intp), codegen


@operation
def store_tile(typingctx: Any, tile: Any, like: Any, base: Any, index: Any, stride: Any) -> Any:
    """store_tile(tile, like, p, i, s): row r to p[i + r s] and on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, _, base, index, stride = args
        places = _places(builder, tile, like, index, stride)
        for value, place in zip(emit.unpack(builder, values, tile.count), places, strict=True):
            emit.store(builder, value, base, place)
        return context.get_dummy_value()

    return types.void(tile, like, base, types.intp, types.intp), codegen


@operation
def add_rank_one(
    typingctx: Any, tile: Any, like: Any, p: Any, i: Any, stride: Any, q: Any, j: Any
) -> Any:
    """add_rank_one(tile, like, p, i, s, q, j): tile[r] + p[i + r s] (the row at q[j])."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, _, p, i, stride, q, j = args
        sums = emit.unpack(builder, values, tile.count)
        vector = context.get_value_type(like.dtype)
        row = [
            emit.load(builder, vector, q, builder.add(j, ir.Constant(j.type, c * like.dtype.lanes)))
            for c in range(like.count)
        ]
        for r in range(tile.count // like.count):
            place = emit.address(builder, p, emit.at(builder, i, stride, r))
            weight = emit.splat(builder, vector, builder.load(place))
            for c, x in enumerate(row):
                k = r * like.count + c
                sums[k] = emit.fma(builder, weight, x, sums[k])
        return emit.pack(context, builder, tile, sums)

    return tile(tile, like, p, types.intp, types.intp, q, types.intp), codegen


@operation
def fma_tile(typingctx: Any, tile: Any, xs: Any, ys: Any) -> Any:
    """fma_tile(tile, xs, y): tile[r, c] + xs[r, c] y[c]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, left = (emit.unpack(builder, arg, tile.count) for arg in args[:2])
        right = emit.unpack(builder, args[2], ys.count)
        sums = [
            emit.fma(builder, x, right[k % ys.count], value)
            for k, (x, value) in enumerate(zip(left, sums, strict=True))
        ]
        return emit.pack(context, builder, tile, sums)

    return tile(tile, tile, ys), codegen


@operation
def fold_tiles(typingctx: Any, row: Any, xs: Any, ys: Any) -> Any:
    """fold_tiles(row, xs, ys): row[c] + Σ_r xs[r, c] ys[r, c]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums = emit.unpack(builder, args[0], row.count)
        left, right = (emit.unpack(builder, arg, xs.count) for arg in args[1:])
        for k, (x, y) in enumerate(zip(left, right, strict=True)):
            c = k % row.count
            sums[c] = emit.fma(builder, x, y, sums[c])
        return emit.pack(context, builder, row, sums)

    return row(row, xs, xs), codegen


def _places(builder: Any, tile: Any, like: Any, index: Any, stride: Any) -> list[Any]:
    """Where each vector of a tile lies."""
    return [
        builder.add(
            emit.at(builder, index, stride, k // like.count),
            ir.Constant(index.type, k % like.count * like.dtype.lanes),
        )
        for k in range(tile.count)
    ]
