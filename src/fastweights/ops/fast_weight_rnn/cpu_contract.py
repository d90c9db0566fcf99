"""The contractions of the fast-weights RNN, batch rows as vector lanes.

A *line* is one vector: the same scalar of every batch row of a row block. A hidden state is H lines, a history is
a stack of hidden states. Outputs are made in register blocks of ROWS lines and then of 4, 2 and 1, so that no size is
padded and one compilation serves every H.
"""

from __future__ import annotations

from typing import Any

from fastweights.kernels.compile import helper
from fastweights.kernels.isa import host
from fastweights.kernels.simd import (
    add_outer,
    add_products,
    add_scaled_rows,
    at,
    dot_rows,
    fma_rows,
    lane_count,
    load,
    load_rows,
    offset,
    put,
    put_totals,
    scale_rows,
    splat,
    store,
    store_rows,
    zeros,
)

ROWS = host().rows
TILE = host().tile
TILE_AREA = TILE * TILE


@helper
def pack(weight: Any, packed: Any, size: int, transposed: bool) -> None:
    """Copy a matrix (or its transpose) into the panels that `dense` reads: ROWS rows side by side, then 4, 2, 1."""
    row = 0
    while row < size:
        height = panel_height(size - row)
        for j in range(size):
            for r in range(height):
                source = j * size + row + r if transposed else (row + r) * size + j
                put(packed, (row * size + j * height) + r, at(weight, source))
        row += height


@helper
def panel_height(left: int) -> int:
    """Return the rows of the next panel when `left` rows are left."""
    if left >= ROWS:
        return ROWS
    if left >= 4:
        return 4
    return 2 if left >= 2 else 1


@helper
def _dense_panel(like: Any, packed: Any, x: Any, y: Any, size: int, row: int) -> None:
    lanes = lane_count(x)
    rows = load_rows(like, y, row * lanes, lanes)
    panel = row * size
    for j in range(size):
        rows = add_outer(rows, packed, panel, load(x, j * lanes))
        panel += len(like)
    store_rows(rows, y, row * lanes, lanes)


@helper
def dense(packed: Any, x: Any, y: Any, size: int) -> None:
    """y += W x, W packed."""
    row = 0
    while row + ROWS <= size:
        _dense_panel(zeros(x, ROWS), packed, x, y, size, row)
        row += ROWS
    if size - row >= 4:
        _dense_panel(zeros(x, 4), packed, x, y, size, row)
        row += 4
    if size - row >= 2:
        _dense_panel(zeros(x, 2), packed, x, y, size, row)
        row += 2
    if size - row >= 1:
        _dense_panel(zeros(x, 1), packed, x, y, size, row)


@helper
def _score_panel(
    like: Any, lines: Any, stride: int, x: Any, scores: Any, size: int, n: int
) -> None:
    lanes = lane_count(x)
    rows = like
    place = n * stride
    for k in range(size):
        rows = add_scaled_rows(rows, lines, place + k * lanes, stride, load(x, k * lanes))
    store_rows(rows, scores, n * lanes, lanes)


@helper
def score(lines: Any, stride: int, count: int, x: Any, scores: Any, size: int) -> None:
    """scores[n] = ⟨state n of the history, x⟩ for n < count; states lie `stride` scalars apart."""
    n = 0
    while n + ROWS <= count:
        _score_panel(zeros(x, ROWS), lines, stride, x, scores, size, n)
        n += ROWS
    if count - n >= 4:
        _score_panel(zeros(x, 4), lines, stride, x, scores, size, n)
        n += 4
    if count - n >= 2:
        _score_panel(zeros(x, 2), lines, stride, x, scores, size, n)
        n += 2
    if count - n >= 1:
        _score_panel(zeros(x, 1), lines, stride, x, scores, size, n)


@helper
def _mix_panel(
    like: Any, lines: Any, stride: int, count: int, scores: Any, start: Any, y: Any, row: int
) -> None:
    lanes = lane_count(y)
    rows = load_rows(like, start, row * lanes, lanes)
    place = row * lanes
    for n in range(count):
        rows = add_scaled_rows(rows, lines, place, lanes, load(scores, n * lanes))
        place += stride
    store_rows(rows, y, row * lanes, lanes)


@helper
def mix(lines: Any, stride: int, count: int, scores: Any, start: Any, y: Any, size: int) -> None:
    """y = start + Σ_n scores[n] (state n of the history)."""
    row = 0
    while row + ROWS <= size:
        _mix_panel(zeros(y, ROWS), lines, stride, count, scores, start, y, row)
        row += ROWS
    if size - row >= 4:
        _mix_panel(zeros(y, 4), lines, stride, count, scores, start, y, row)
        row += 4
    if size - row >= 2:
        _mix_panel(zeros(y, 2), lines, stride, count, scores, start, y, row)
        row += 2
    if size - row >= 1:
        _mix_panel(zeros(y, 1), lines, stride, count, scores, start, y, row)


@helper
def _symmetric_panel(like: Any, matrix: Any, x: Any, scale: Any, y: Any, row: int) -> Any:
    """One panel of `symmetric`: the rectangle left of the diagonal serves rows and columns; then the diagonal."""
    lanes = lane_count(x)
    height = len(like)
    sums = load_rows(like, y, row * lanes, lanes)
    own = scale_rows(load_rows(like, x, row * lanes, lanes), scale)
    place = 0
    for j in range(row):
        panel = load_rows(like, matrix, place, lanes)
        sums = fma_rows(sums, panel, load(x, j * lanes) * scale)
        store(y, j * lanes, dot_rows(panel, own, load(y, j * lanes)))
        place += height * lanes
    for j in range(row, row + height):
        sums = add_scaled_rows(sums, matrix, place, lanes, load(x, j * lanes) * scale)
        place += height * lanes
    store_rows(sums, y, row * lanes, lanes)


@helper
def symmetric(matrix: Any, x: Any, scale: Any, y: Any, size: int) -> None:
    """y += scale A x for a symmetric A, of which each entry is read once and used twice.

    A is kept as panels like those of `dense`, cut off right of the diagonal block; an entry is a line.
    """
    lanes = lane_count(x)
    row = 0
    while row + ROWS <= size:
        _symmetric_panel(zeros(x, ROWS), matrix, x, scale, y, row)
        row += ROWS
        matrix = offset(matrix, ROWS * row * lanes)
    if size - row >= 4:
        _symmetric_panel(zeros(x, 4), matrix, x, scale, y, row)
        row += 4
        matrix = offset(matrix, 4 * row * lanes)
    if size - row >= 2:
        _symmetric_panel(zeros(x, 2), matrix, x, scale, y, row)
        row += 2
        matrix = offset(matrix, 2 * row * lanes)
    if size - row >= 1:
        _symmetric_panel(zeros(x, 1), matrix, x, scale, y, row)


@helper
def _outer_columns(
    like: Any,
    matrix: Any,
    row_stride: int,
    column_stride: int,
    x: Any,
    x_stride: int,
    y: Any,
    y_stride: int,
    count: int,
    weight: Any,
    ratio: Any,
    keep: Any,
    columns: int,
) -> None:
    """One panel of rows of `add_outer_products`, two columns at a time."""
    lanes = lane_count(x)
    zero = scale_rows(like, splat(keep))
    for pair in range((columns + 1) // 2):
        j = 2 * pair
        single = j + 1 == columns
        here = j * column_stride
        there = here if single else here + column_stride
        first = zero
        second = zero
        if keep != 0:
            first = scale_rows(load_rows(like, matrix, here, row_stride), splat(keep))
            second = scale_rows(load_rows(like, matrix, there, row_stride), splat(keep))
        step = 0 if single else lanes
        xn = 0
        yn = j * lanes
        w = weight
        for _ in range(count):
            xs = load_rows(like, x, xn, lanes)
            first = fma_rows(first, xs, load(y, yn) * splat(w))
            second = fma_rows(second, xs, load(y, yn + step) * splat(w))
            xn += x_stride
            yn += y_stride
            w *= ratio
        store_rows(first, matrix, here, row_stride)
        store_rows(second, matrix, there, row_stride)


@helper
def _add_outer_panel(
    like: Any,
    matrix: Any,
    row: int,
    triangle: bool,
    x: Any,
    x_stride: int,
    y: Any,
    y_stride: int,
    count: int,
    weight: Any,
    ratio: Any,
    keep: Any,
    size: int,
) -> None:
    lanes = lane_count(x)
    height = len(like)
    row_stride, column_stride, columns = size * lanes, lanes, size
    if triangle:
        row_stride, column_stride, columns = lanes, height * lanes, row + height
    x = offset(x, row * lanes)
    _outer_columns(
        like, matrix, row_stride, column_stride, x, x_stride, y, y_stride, count, weight, ratio,
        keep, columns,
    )  # fmt: skip


@helper
def add_outer_products(
    matrix: Any,
    triangle: bool,
    x: Any,
    x_stride: int,
    y: Any,
    y_stride: int,
    count: int,
    weight: Any,
    ratio: Any,
    keep: Any,
    size: int,
) -> None:
    """A = keep A + Σ_n weight ratioⁿ x_n y_nᵀ, either whole (row by row) or as the panels of `symmetric`.

    With keep 0 the matrix is not read, so it may be fresh memory.
    """
    lanes = lane_count(x)
    row = 0
    while row < size:
        height = panel_height(size - row)
        if height == ROWS:
            _add_outer_panel(
                zeros(x, ROWS), matrix, row, triangle, x, x_stride, y, y_stride, count, weight,
                ratio, keep, size,
            )  # fmt: skip
        elif height == 4:
            _add_outer_panel(
                zeros(x, 4), matrix, row, triangle, x, x_stride, y, y_stride, count, weight,
                ratio, keep, size,
            )  # fmt: skip
        elif height == 2:
            _add_outer_panel(
                zeros(x, 2), matrix, row, triangle, x, x_stride, y, y_stride, count, weight,
                ratio, keep, size,
            )  # fmt: skip
        else:
            _add_outer_panel(
                zeros(x, 1), matrix, row, triangle, x, x_stride, y, y_stride, count, weight,
                ratio, keep, size,
            )  # fmt: skip
        row += height
        matrix = offset(matrix, height * (row if triangle else size) * lanes)


@helper
def _product_tile(
    tile: Any, like: Any, x: Any, y: Any, i: int, j: int, count: int, skip: int, groups: int,
    x_group: int, y_group: int, out: Any, size: int,
) -> None:  # fmt: skip
    lanes = lane_count(x)
    stride = size * lanes
    for group in range(groups):
        xn = group * x_group + i * lanes + skip * stride
        yn = group * y_group + j * lanes + skip * stride
        for _ in range(skip, count):
            xs = load_rows(like, x, xn, lanes)
            tile = add_products(tile, xs, load_rows(like, y, yn, lanes))
            xn += stride
            yn += stride
    put_totals(tile, like, out, i * size + j, size)


@helper
def strips(size: int) -> int:
    """Return the number of strips of rows that `weight_gradient_strip` makes."""
    return size if size < TILE else (size + TILE - 1) // TILE


@helper
def weight_gradient_strip(
    x: Any, y: Any, count: int, skip: int, groups: int, x_group: int, y_group: int, out: Any,
    size: int, strip: int,
) -> None:  # fmt: skip
    """out[i, j] = Σ over states n and lanes of x_n[i] y_n[j], for the TILE rows i of one strip.

    The last tile of a row or column overlaps its neighbour where TILE does not divide the size.
    """
    if size < TILE:
        for j in range(size):
            _product_tile(
                zeros(x, 1), zeros(x, 1), x, y, strip, j, count, skip, groups, x_group, y_group,
                out, size,
            )  # fmt: skip
        return
    i = min(strip * TILE, size - TILE)
    for j in range(0, size, TILE):
        _product_tile(
            zeros(x, TILE_AREA), zeros(x, TILE), x, y, i, min(j, size - TILE), count, skip,
            groups, x_group, y_group, out, size,
        )  # fmt: skip
