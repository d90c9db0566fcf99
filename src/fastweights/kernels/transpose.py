"""Square tiles transposed in registers, between batch-first tensors and batch rows as vector lanes."""

from __future__ import annotations

from typing import Any

from numba import types

from fastweights.kernels import emit
from fastweights.kernels.emit import operation
from fastweights.kernels.simd import vec_of


@operation
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
    vec = vec_of(source)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, i, source_stride, count, spare, target, j, target_stride = args
        vector = context.get_value_type(vec)
        start = emit.address(builder, source, i)
        rows = []
        for r in range(vec.lanes):
            row = emit.address(builder, start, emit.at(builder, count.type(0), source_stride, r))
            real = builder.icmp_signed("<", count.type(r), count)
            rows.append(emit.load(builder, vector, builder.select(real, row, spare), count.type(0)))
        for r, column in enumerate(_transpose(builder, rows)):
            emit.store(builder, column, target, emit.at(builder, j, target_stride, r))
        return context.get_dummy_value()

    integer = types.intp
    signature = types.void(source, integer, integer, integer, source, source, integer, integer)
    return signature, codegen


@operation
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
    vec = vec_of(source)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, i, source_stride, target, j, target_stride, count, spare = args
        vector = context.get_value_type(vec)
        columns = [
            emit.load(builder, vector, source, emit.at(builder, i, source_stride, c))
            for c in range(vec.lanes)
        ]
        start = emit.address(builder, target, j)
        for r, row in enumerate(_transpose(builder, columns)):
            place = emit.address(builder, start, emit.at(builder, count.type(0), target_stride, r))
            real = builder.icmp_signed("<", count.type(r), count)
            emit.store(builder, row, builder.select(real, place, spare), count.type(0))
        return context.get_dummy_value()

    integer = types.intp
    signature = types.void(source, integer, integer, source, integer, integer, integer, source)
    return signature, codegen


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
                swapped[r] = emit.shuffle(builder, rows[r], rows[r + bit], low)
                swapped[r + bit] = emit.shuffle(builder, rows[r], rows[r + bit], high)
        rows = swapped
        bit *= 2
    return rows
