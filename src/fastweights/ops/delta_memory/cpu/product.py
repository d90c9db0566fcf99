"""Small matrix products in register tiles, the lanes being columns.

Every contraction of the memory but those with F itself is one of these: Gram matrices, what causal attention adds up,
and its gradients. The matrix on the left is read scalar by scalar with any strides, so it may be transposed.
"""

from __future__ import annotations

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.isa import host
from fastweights.kernels.simd import lane_count
from fastweights.kernels.tiles import add_rank_one, load_tile, store_tile, zero_tile
from fastweights.kernels.types import Block, Pointer

ROWS = host().pair


@helper
def product(
    left: Pointer, row_step: int, step: int, right: Pointer, right_step: int, depth: int,
    out: Pointer, out_step: int, rows: int, columns: int, add: int,
) -> None:  # fmt: skip
    """out = L R, or out += L R where `add`: L[r, k] is left[r row_step + k step], R[k, c] right[k right_step + c].

    Rows are made in multiples of ROWS, columns in multiples of the lanes.
    """
    lanes = lane_count(out)
    for row in range(0, rows, ROWS):
        column = 0
        while column + lanes < columns:
            _product_tile(
                left, row * row_step, row_step, step, right, column, right_step, depth, out,
                row * out_step + column, out_step, add, zeros(out, 2),
            )  # fmt: skip
            column += 2 * lanes
        if column < columns:
            _product_tile(
                left, row * row_step, row_step, step, right, column, right_step, depth, out,
                row * out_step + column, out_step, add, zeros(out, 1),
            )  # fmt: skip


@helper
def _product_tile(
    left: Pointer, i: int, row_step: int, step: int, right: Pointer, j: int, right_step: int,
    depth: int, out: Pointer, place: int, out_step: int, add: int, like: Block,
) -> None:  # fmt: skip
    tile = zero_tile(like, ROWS)
    if add:
        tile = load_tile(tile, like, out, place, out_step)
    for _ in range(depth):
        tile = add_rank_one(tile, like, left, i, row_step, right, j)
        i += step
        j += right_step
    store_tile(tile, like, out, place, out_step)
