"""The contractions of the fast-weights RNN, batch rows as vector lanes.

A *line* is one vector: the same scalar of every batch row of a row block. A hidden state is H lines, a history is
a stack of hidden states. Outputs are made in register blocks of ROWS lines, and what is left over line by line, so that
no size is padded and one compilation serves every H.
"""

from __future__ import annotations

from typing import Any

from fastweights.kernels.blocks import (
    add_outer,
    add_products,
    add_scaled_rows,
    dot_rows,
    fma_rows,
    load_rows,
    put_totals,
    scale_rows,
    store_rows,
    zeros,
)
from fastweights.kernels.compile import helper
from fastweights.kernels.isa import host
from fastweights.kernels.simd import at, fma, lane_count, load, offset, put, splat, store
from fastweights.ops.fast_weight_rnn.cpu_norm import dot_lines

ROWS = host().rows
TILE = host().tile
TILE_AREA = TILE * TILE


@helper
def pack(weight: Any, packed: Any, size: int, transposed: int) -> None:
    """Copy a matrix (or its transpose) into the panels that `dense` reads: ROWS rows side by side, then single rows."""
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
def dense(packed: Any, x: Any, y: Any, size: int) -> None:
    """y += W x, W packed."""
    lanes = lane_count(x)
    row = 0
    while row + ROWS <= size:
        rows = load_rows(zeros(x, ROWS), y, row * lanes, lanes)
        panel = row * size
        for j in range(size):
            rows = add_outer(rows, packed, panel, load(x, j * lanes))
            panel += ROWS
        store_rows(rows, y, row * lanes, lanes)
        row += ROWS
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
def score(lines: Any, stride: int, count: int, x: Any, scores: Any, size: int) -> None:
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
        store(scores, n * lanes, dot_lines(offset(lines, n * stride), x, size))
        n += 1


@helper
def mix(lines: Any, stride: int, count: int, scores: Any, start: Any, y: Any, size: int) -> None:
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
def symmetric(matrix: Any, x: Any, y: Any, size: int) -> None:
    """y += A x for a symmetric A, of which each entry is read once and used twice.

    A is kept as panels of ROWS rows and then single rows, cut off right of the diagonal block; an entry is a line.
    """
    lanes = lane_count(x)
    row = 0
    place = 0
    while row + ROWS <= size:
        sums = load_rows(zeros(x, ROWS), y, row * lanes, lanes)
        own = load_rows(zeros(x, ROWS), x, row * lanes, lanes)
        for j in range(row):
            panel = load_rows(zeros(x, ROWS), matrix, place, lanes)
            sums = fma_rows(sums, panel, load(x, j * lanes))
            store(y, j * lanes, dot_rows(panel, own, load(y, j * lanes)))
            place += ROWS * lanes
        for j in range(row, row + ROWS):
            sums = add_scaled_rows(sums, matrix, place, lanes, load(x, j * lanes))
            place += ROWS * lanes
        store_rows(sums, y, row * lanes, lanes)
        row += ROWS
    while row < size:
        line = load(y, row * lanes)
        mine = load(x, row * lanes)
        for j in range(row):
            entry = load(matrix, place)
            line = fma(entry, load(x, j * lanes), line)
            store(y, j * lanes, fma(entry, mine, load(y, j * lanes)))
            place += lanes
        store(y, row * lanes, fma(load(matrix, place), mine, line))
        place += lanes
        row += 1


@helper
def triangle_dot(x: Any, y: Any, size: int) -> Any:
    """Σ_ij x_ij y_ij of two symmetric matrices kept as panels."""
    lanes = lane_count(x)
    inside = zeros(x, 1)[0]
    outside = inside
    row = place = 0
    while row < size:
        height = ROWS if row + ROWS <= size else 1
        outside = outside + dot_lines(offset(x, place), offset(y, place), height * row)
        place += height * row * lanes
        inside = inside + dot_lines(offset(x, place), offset(y, place), height * height)
        place += height * height * lanes
        row += height
    return outside + outside + inside


@helper
def add_outer_products(
    matrix: Any,
    triangle: int,
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
    place = 0
    while row < size:
        height = ROWS if row + ROWS <= size else 1
        row_step, column_step, columns = size * lanes, lanes, size
        if triangle:
            row_step, column_step, columns = lanes, height * lanes, row + height
        for j in range(columns):
            here = place + j * column_step
            xn = row * lanes
            yn = j * lanes
            w = weight
            if height == ROWS:
                rows = zeros(x, ROWS)
                if keep != 0:
                    rows = scale_rows(load_rows(rows, matrix, here, row_step), splat(keep))
                for _ in range(count):
                    xs = load_rows(rows, x, xn, lanes)
                    rows = fma_rows(rows, xs, load(y, yn) * splat(w))
                    xn += x_stride
                    yn += y_stride
                    w *= ratio
                store_rows(rows, matrix, here, row_step)
            else:
                line = zeros(x, 1)[0]
                if keep != 0:
                    line = load(matrix, here) * splat(keep)
                for _ in range(count):
                    line = fma(load(x, xn), load(y, yn) * splat(w), line)
                    xn += x_stride
                    yn += y_stride
                    w *= ratio
                store(matrix, here, line)
        place += columns * height * lanes
        row += height


@helper
def strips(size: int) -> int:
    """Return the number of strips of rows that `weight_gradient_strip` makes."""
    return size if size < TILE else (size + TILE - 1) // TILE


@helper
def weight_gradient_strip(
    x: Any,
    y: Any,
    skip: int,
    count: int,
    groups: int,
    x_group: int,
    y_group: int,
    out: Any,
    size: int,
    strip: int,
) -> None:
    """out[i, j] = Σ over groups, states n >= skip and lanes of x_n[i] y_n[j], for the TILE rows i of one strip.

    The last tile of a row or column overlaps its neighbour where TILE does not divide the size.
    """
    lanes = lane_count(x)
    stride = size * lanes
    step = TILE if size >= TILE else 1
    i = min(strip * step, size - step)
    for column in range(0, size, step):
        j = min(column, size - step)
        tile = zeros(x, TILE_AREA)
        single = zeros(x, 1)
        for group in range(groups):
            xn = group * x_group + i * lanes + skip * stride
            yn = group * y_group + j * lanes + skip * stride
            for _ in range(skip, count):
                if step == TILE:
                    xs = load_rows(zeros(x, TILE), x, xn, lanes)
                    tile = add_products(tile, xs, load_rows(zeros(x, TILE), y, yn, lanes))
                else:
                    xs1 = load_rows(single, x, xn, lanes)
                    single = add_products(single, xs1, load_rows(single, y, yn, lanes))
                xn += stride
                yn += stride
        if step == TILE:
            put_totals(tile, zeros(x, TILE), out, i * size + j, size)
        else:
            put_totals(single, single, out, i * size + j, size)
