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
from fastweights.kernels.simd import at, fma, lane_count, load, offset, put, splat, store, total
from fastweights.ops.fast_weight_rnn.cpu_norm import dot_lines

ROWS = host().rows
TILE = host().tile
TILE_AREA = TILE * TILE
PULL_ROWS = ROWS // 2  # four such blocks are held at once


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
def pull(
    xs: Any, ys: Any, stride: int, count: int, by_x: Any, by_y: Any, width: int, out: Any, size: int
) -> None:  # fmt: skip
    """out[g] = Σ_n by_x[g, n] x_n + by_y[g, n] y_n for four g: states x_n and y_n are fetched once for the four.

    Coefficients of one g lie `width` scalars after those of the last. The last rows overlap where need be.
    """
    lanes = lane_count(out)
    state = size * lanes
    for block in range(0, size, PULL_ROWS):
        row = min(block, size - PULL_ROWS) * lanes
        a = zeros(out, PULL_ROWS)
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
    old: Any,
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
    panel: Any,
) -> None:
    """A = keep (old A) + Σ_n weight ratioⁿ x_n y_nᵀ, either whole (row by row) or as the panels of `symmetric`.

    With keep 0 the old A is not read, so it may be fresh memory; or it is A. `panel` is scratch for ROWS lines of
    every x_n: they are read for every column, and would throw each other out of the cache from where they are.
    """
    lanes = lane_count(x)
    row = 0
    place = 0
    while row < size:
        height = ROWS if row + ROWS <= size else 1
        row_step, column_step, columns = size * lanes, lanes, size
        if triangle:
            row_step, column_step, columns = lanes, height * lanes, row + height
        w = weight
        for n in range(count):
            for r in range(height):
                line = load(x, n * x_stride + (row + r) * lanes) * splat(w)
                store(panel, (n * height + r) * lanes, line)
            w *= ratio
        j = 0
        while j < columns:
            here = place + j * column_step
            there = here + column_step
            if height == ROWS and j + 2 <= columns:
                left = zeros(x, ROWS)
                right = zeros(x, ROWS)
                if keep != 0:
                    left = scale_rows(load_rows(left, old, here, row_step), splat(keep))
                    right = scale_rows(load_rows(left, old, there, row_step), splat(keep))
                yn = j * lanes
                for n in range(count):
                    xs = load_rows(left, panel, n * ROWS * lanes, lanes)
                    left = fma_rows(left, xs, load(y, yn))
                    right = fma_rows(right, xs, load(y, yn + lanes))
                    yn += y_stride
                store_rows(left, matrix, here, row_step)
                store_rows(right, matrix, there, row_step)
                j += 2
            else:
                for r in range(height):
                    line = zeros(x, 1)[0]
                    if keep != 0:
                        line = load(old, here + r * row_step) * splat(keep)
                    for n in range(count):
                        xn = load(panel, (n * height + r) * lanes)
                        line = fma(xn, load(y, n * y_stride + j * lanes), line)
                    store(matrix, here + r * row_step, line)
                j += 1
        place += columns * height * lanes
        row += height


@helper
def strips(size: int) -> int:
    """Return the number of strips of TILE rows that `add_weight_gradient` makes."""
    return (size + TILE - 1) // TILE


@helper
def add_weight_gradient(
    x: Any,
    y: Any,
    first: int,
    last: int,
    groups: int,
    x_group: int,
    y_group: int,
    out: Any,
    size: int,
    strip: int,
    totals: Any,
    panel: Any,
) -> None:
    """out[i, j] += Σ over groups, states first <= n < last and lanes of x_n[i] y_n[j], for the rows i of one strip.

    The last tile of a row or column overlaps its neighbour where TILE does not divide the size; what they share is
    added once. `totals` and `panel` are scratch: a tile of scalars, TILE lines of
    every state.
    """
    lanes = lane_count(x)
    stride = size * lanes
    top = strip * TILE
    i = min(top, size - TILE)
    k = 0
    for group in range(groups):
        for n in range(first, last):
            xs = load_rows(zeros(x, TILE), x, group * x_group + n * stride + i * lanes, lanes)
            store_rows(xs, panel, k, lanes)
            k += TILE * lanes
    for column in range(strips(size)):
        left = column * TILE
        j = min(left, size - TILE)
        tile = zeros(x, TILE_AREA)
        k = 0
        for group in range(groups):
            yn = group * y_group + first * stride + j * lanes
            for _ in range(first, last):
                xs = load_rows(zeros(x, TILE), panel, k, lanes)
                tile = add_products(tile, xs, load_rows(zeros(x, TILE), y, yn, lanes))
                k += TILE * lanes
                yn += stride
        put_totals(tile, zeros(x, TILE), totals, 0, TILE)
        for r in range(top - i, TILE):
            for c in range(left - j, TILE):
                place = (i + r) * size + j + c
                put(out, place, at(out, place) + at(totals, r * TILE + c))


@helper
def add_small_weight_gradient(
    x: Any, y: Any, first: int, last: int, groups: int, x_group: int, y_group: int, out: Any, size: int
) -> None:  # fmt: skip
    """`add_weight_gradient` for sizes below TILE."""
    lanes = lane_count(x)
    stride = size * lanes
    for i in range(size):
        for j in range(size):
            line = zeros(x, 1)[0]
            for group in range(groups):
                xn = group * x_group + i * lanes
                yn = group * y_group + j * lanes
                for n in range(first, last):
                    line = fma(load(x, xn + n * stride), load(y, yn + n * stride), line)
            put(out, i * size + j, at(out, i * size + j) + total(line))
