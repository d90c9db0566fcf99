"""The contractions of the fast-weights RNN, batch rows as vector lanes.

A *line* is one vector: the same scalar of every batch row of a row block. A hidden state is H lines, a history is
a stack of hidden states. Outputs are made in register blocks of ROWS lines, and what is left over line by line, so that
no size is padded and one compilation serves every H.
"""

from __future__ import annotations

from fastweights.kernels.access import prefetch
from fastweights.kernels.blocks import add_outer, add_scaled_rows, load_rows, store_rows, zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.isa import host
from fastweights.kernels.lines import dot
from fastweights.kernels.simd import at, fma, lane_count, load, offset, put, splat, store
from fastweights.kernels.types import Pointer

ROWS = host().rows
GROUP_ROWS = host().quad


@helper
def pack(weight: Pointer, packed: Pointer, size: int, transposed: int) -> None:
    """Copy a matrix or its transpose into the panels of `matvec`: ROWS rows side by side, then single rows."""
    row_step, column_step = size, 1
    if transposed:
        row_step, column_step = 1, size
    row = 0
    while row < size:
        height = ROWS if row + ROWS <= size else 1
        for j in range(size):
            for r in range(height):
                value = at(weight, (row + r) * row_step + j * column_step)
                put(packed, row * size + j * height + r, value)
        row += height


@helper
def matvec(packed: Pointer, x: Pointer, y: Pointer, size: int) -> None:
    """y += W x, W packed."""
    row = 0
    while row + ROWS <= size:
        _matvec_panel(packed, x, y, row, size)
        row += ROWS
    _matvec_rest(packed, x, y, row, size)


@helper
def matvec_with_prefetch(
    packed: Pointer, x: Pointer, y: Pointer, size: int, first: Pointer, second: Pointer,
    third: Pointer, fourth: Pointer, fifth: Pointer, stride: int, count: int,
) -> None:  # fmt: skip
    """y += W x as `matvec`; asks meanwhile for three states of lines and for `count` batch rows of two tensors.

    The rows lie `stride` scalars apart. Single rows of W, where the panels leave some, ask for nothing.
    """
    lanes = lane_count(x)
    row = 0
    while row + ROWS <= size:
        _matvec_panel(packed, x, y, row, size)
        for k in range(row * lanes, (row + ROWS) * lanes, lanes):
            prefetch(first, k)
            prefetch(second, k)
            prefetch(third, k)
        for k in range(row, row + count * stride, stride):
            prefetch(fourth, k)
            prefetch(fifth, k)
        row += ROWS
    _matvec_rest(packed, x, y, row, size)


@helper
def _matvec_panel(packed: Pointer, x: Pointer, y: Pointer, row: int, size: int) -> None:
    """ROWS rows of `matvec`, from `row` on."""
    lanes = lane_count(x)
    rows = load_rows(zeros(x, ROWS), y, row * lanes, lanes)
    panel = row * size
    for j in range(size):
        rows = add_outer(rows, packed, panel, load(x, j * lanes))
        panel += ROWS
    store_rows(rows, y, row * lanes, lanes)


@helper
def _matvec_rest(packed: Pointer, x: Pointer, y: Pointer, row: int, size: int) -> None:
    """The last rows of `matvec`, from `row` on: fewer than a panel."""
    lanes = lane_count(x)
    zero = zeros(x, 1)[0]
    while row < size:
        panel = row * size
        a, b, c, d = load(y, row * lanes), zero, zero, zero
        j = 0
        while j + 4 <= size:
            a = fma(splat(at(packed, panel + j)), load(x, j * lanes), a)
            b = fma(splat(at(packed, panel + j + 1)), load(x, (j + 1) * lanes), b)
            c = fma(splat(at(packed, panel + j + 2)), load(x, (j + 2) * lanes), c)
            d = fma(splat(at(packed, panel + j + 3)), load(x, (j + 3) * lanes), d)
            j += 4
        while j < size:
            a = fma(splat(at(packed, panel + j)), load(x, j * lanes), a)
            j += 1
        store(y, row * lanes, (a + b) + (c + d))
        row += 1


@helper
def score(lines: Pointer, stride: int, count: int, x: Pointer, scores: Pointer, size: int) -> None:
    """scores[n] = ⟨state n of the history, x⟩ for n < count; states lie `stride` scalars apart."""
    lanes = lane_count(x)
    n = 0
    while n + ROWS <= count:
        rows = zeros(x, ROWS)
        place = n * stride
        for k in range(size):
            rows = add_scaled_rows(rows, lines, place + k * lanes, stride, load(x, k * lanes))
        store_rows(rows, scores, n * lanes, lanes)
        n += ROWS
    if n + 4 <= count:
        few = zeros(x, 4)
        place = n * stride
        for k in range(size):
            few = add_scaled_rows(few, lines, place + k * lanes, stride, load(x, k * lanes))
        store_rows(few, scores, n * lanes, lanes)
        n += 4
    while n < count:
        store(scores, n * lanes, dot(offset(lines, n * stride), x, size * lanes))
        n += 1


@helper
def mix(
    lines: Pointer, stride: int, count: int, scores: Pointer, start: Pointer, y: Pointer, size: int
) -> None:  # fmt: skip
    """y = start + Σ_n scores[n] (state n of the history)."""
    lanes = lane_count(y)
    row = 0
    while row + ROWS <= size:
        rows = load_rows(zeros(y, ROWS), start, row * lanes, lanes)
        place = row * lanes
        for n in range(count):
            rows = add_scaled_rows(rows, lines, place, lanes, load(scores, n * lanes))
            place += stride
        store_rows(rows, y, row * lanes, lanes)
        row += ROWS
    while row < size:
        line = load(start, row * lanes)
        place = row * lanes
        for n in range(count):
            line = fma(load(lines, place), load(scores, n * lanes), line)
            place += stride
        store(y, row * lanes, line)
        row += 1


@helper
def mix_group(
    xs: Pointer, ys: Pointer, stride: int, count: int, by_x: Pointer, by_y: Pointer, width: int,
    out: Pointer, size: int,
) -> None:  # fmt: skip
    """out[g] = Σ_n by_x[g, n] x_n + by_y[g, n] y_n for four g: states x_n and y_n are fetched once for the four.

    Coefficients of one g lie `width` scalars after those of the last. The last rows overlap where need be.
    """
    lanes = lane_count(out)
    state = size * lanes
    for block in range(0, size, GROUP_ROWS):
        row = min(block, size - GROUP_ROWS) * lanes
        a = zeros(out, GROUP_ROWS)
        b, c, d = a, a, a
        place = row
        for n in range(count):
            k = n * lanes
            a = add_scaled_rows(a, xs, place, lanes, load(by_x, k))
            b = add_scaled_rows(b, xs, place, lanes, load(by_x, k + width))
            c = add_scaled_rows(c, xs, place, lanes, load(by_x, k + 2 * width))
            d = add_scaled_rows(d, xs, place, lanes, load(by_x, k + 3 * width))
            a = add_scaled_rows(a, ys, place, lanes, load(by_y, k))
            b = add_scaled_rows(b, ys, place, lanes, load(by_y, k + width))
            c = add_scaled_rows(c, ys, place, lanes, load(by_y, k + 2 * width))
            d = add_scaled_rows(d, ys, place, lanes, load(by_y, k + 3 * width))
            place += stride
        store_rows(a, out, row, lanes)
        store_rows(b, out, row + state, lanes)
        store_rows(c, out, row + 2 * state, lanes)
        store_rows(d, out, row + 3 * state, lanes)
