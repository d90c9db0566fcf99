"""Matrices whose entries are lines: the memory A of every batch row, and the gradient of W summed over all of them.

A symmetric one is kept as panels of PANEL rows and then single rows, column by column, cut off right of the
diagonal block.
"""

from __future__ import annotations

from fastweights.kernels.blocks import (
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
from fastweights.kernels.lines import dot
from fastweights.kernels.simd import at, fma, lane_count, load, offset, put, splat, store, total
from fastweights.kernels.types import Pointer, Real, Vector

PANEL = host().pair
TILE = host().tile
TILE_AREA = TILE * TILE


@helper
def symmetric(matrix: Pointer, x: Pointer, y: Pointer, size: int) -> None:
    """y += A x for a symmetric A, of which each entry is read once and used twice.

    A is kept as panels of PANEL rows and then single rows, cut off right of the diagonal block; an entry is a line.
    """
    lanes = lane_count(x)
    row = 0
    place = 0
    while row + PANEL <= size:
        sums = load_rows(zeros(x, PANEL), y, row * lanes, lanes)
        own = load_rows(zeros(x, PANEL), x, row * lanes, lanes)
        for j in range(row):
            panel = load_rows(zeros(x, PANEL), matrix, place, lanes)
            sums = fma_rows(sums, panel, load(x, j * lanes))
            store(y, j * lanes, dot_rows(panel, own, load(y, j * lanes)))
            place += PANEL * lanes
        for j in range(row, row + PANEL):
            sums = add_scaled_rows(sums, matrix, place, lanes, load(x, j * lanes))
            place += PANEL * lanes
        store_rows(sums, y, row * lanes, lanes)
        row += PANEL
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
def triangle_dot(x: Pointer, y: Pointer, size: int) -> Vector:
    """Σ_ij x_ij y_ij of two symmetric matrices kept as panels."""
    lanes = lane_count(x)
    inside = zeros(x, 1)[0]
    outside = inside
    row = place = 0
    while row < size:
        height = PANEL if row + PANEL <= size else 1
        outside = outside + dot(offset(x, place), offset(y, place), height * row * lanes)
        place += height * row * lanes
        inside = inside + dot(offset(x, place), offset(y, place), height * height * lanes)
        place += height * height * lanes
        row += height
    return outside + outside + inside


@helper
def add_outer_products(
    matrix: Pointer, old: Pointer, triangle: int, x: Pointer, x_stride: int, y: Pointer,
    y_stride: int, count: int, weight: Real, ratio: Real, keep: Real, size: int, panel: Pointer,
) -> None:  # fmt: skip
    """A = keep (old A) + Σ_n weight ratioⁿ x_n y_nᵀ, either whole (row by row) or as the panels of `symmetric`.

    With keep 0 the old A is not read, so it may be fresh memory; or it is A. `panel` is scratch for PANEL lines of
    every x_n: they are read for every column, and would throw each other out of the cache from where they are.
    """
    lanes = lane_count(x)
    row = 0
    place = 0
    while row < size:
        height = PANEL if row + PANEL <= size else 1
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
            if height == PANEL and j + 2 <= columns:
                left = zeros(x, PANEL)
                right = zeros(x, PANEL)
                if keep != 0:
                    left = scale_rows(load_rows(left, old, here, row_step), splat(keep))
                    right = scale_rows(load_rows(left, old, there, row_step), splat(keep))
                yn = j * lanes
                for n in range(count):
                    xs = load_rows(left, panel, n * PANEL * lanes, lanes)
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
    x: Pointer, y: Pointer, first: int, last: int, groups: int, x_group: int, y_group: int,
    out: Pointer, size: int, strip: int, totals: Pointer, panel: Pointer,
) -> None:  # fmt: skip
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
    x: Pointer, y: Pointer, first: int, last: int, groups: int, x_group: int, y_group: int,
    out: Pointer, size: int,
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
