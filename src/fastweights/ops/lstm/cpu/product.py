"""The one contraction of the LSTM's kernels, and the weights in the order it reads them."""

from __future__ import annotations

from fastweights.kernels.access import load_first
from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.isa import host
from fastweights.kernels.simd import at, lane_count, put, scalar, store
from fastweights.kernels.tiles import add_rank_one, load_tile, store_tile
from fastweights.kernels.transpose import transpose_tile
from fastweights.kernels.types import Pointer

ROWS = host().quad
TILE = 4 * ROWS


@helper
def add_tile(
    x: Pointer, row_stride: int, step: int, count: int, y: Pointer, out: Pointer, out_stride: int
) -> None:  # fmt: skip
    """out[r] += Σ_k x[k step + r row_stride] y[k] for r < ROWS; y[k] and out[r] are four vectors."""
    row = zeros(x, 4)
    width = 4 * lane_count(x)
    tile = load_tile(zeros(x, TILE), row, out, 0, out_stride)
    for k in range(count):
        tile = add_rank_one(tile, row, x, k * step, row_stride, y, k * width)
    store_tile(tile, row, out, 0, out_stride)


@helper
def add_row(x: Pointer, step: int, count: int, y: Pointer, out: Pointer) -> None:
    """`add_tile` for a single row."""
    width = 4 * lane_count(x)
    row = load_tile(zeros(x, 4), zeros(x, 4), out, 0, 0)
    for k in range(count):
        row = add_rank_one(row, row, x, k * step, 0, y, k * width)
    store_tile(row, row, out, 0, 0)


@helper
def pack(weight: Pointer, size: int, panel: int, packed: Pointer, spare: Pointer) -> None:
    """Copy one panel of W: for each unit k of h, its weights in the panel's gates. `spare`: a vector of zeros."""
    lanes = lane_count(weight)
    first = panel * lanes
    count = min(lanes, size - first)
    for gate in range(4):
        place = (gate * size + first) * size
        if size >= lanes:
            for k in range(0, size, lanes):
                k = min(k, size - lanes)
                transpose_tile(
                    weight, place + k, size, count, spare, packed, (4 * k + gate) * lanes, 4 * lanes
                )
        else:
            for k in range(size):
                for unit in range(lanes):
                    value = scalar(at(spare, 0), 0)
                    if unit < count:
                        value = at(weight, place + unit * size + k)
                    put(packed, (4 * k + gate) * lanes + unit, value)


@helper
def pack_transposed(weight: Pointer, size: int, panel: int, column: int, packed: Pointer) -> None:
    """Copy the gates of one panel, in its order: their weights in `4 lanes` columns of W from `column` on."""
    lanes = lane_count(weight)
    zero = zeros(weight, 1)[0]
    for gate in range(4):
        for lane in range(lanes):
            unit = panel * lanes + lane
            place = (gate * lanes + lane) * 4 * lanes
            for part in range(4):
                start = column + part * lanes
                if unit < size and start < size:
                    row = (gate * size + unit) * size + start
                    values = load_first(weight, row, size - start)
                    store(packed, place + part * lanes, values)
                else:
                    store(packed, place + part * lanes, zero)
