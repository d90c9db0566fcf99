"""The contractions with the memory F itself: what almost all operations are spent on where there are chunks.

F[a, b, v] belongs to the product of outer feature a and inner feature b; with one key factor there is no a. The lanes
are steps when F is read, so F comes scalar by scalar and is never transposed, and values when it is written.
"""

from __future__ import annotations

from fastweights.kernels.blocks import load_rows, scale_rows, store_rows, zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.lines import clear
from fastweights.kernels.simd import at, fma, lane_count, load, offset, put, splat, store
from fastweights.kernels.tiles import (
    add_rank_one,
    fma_tile,
    fold_tiles,
    load_tile,
    store_tile,
    zero_tile,
)
from fastweights.kernels.types import Block, Pointer, Real, Record
from fastweights.ops.delta_memory.cpu.lines import copy_row, padded
from fastweights.ops.delta_memory.cpu.product import ROWS


@helper
def contract(
    plan: Record, memory: Pointer, outer: Pointer, inner: Pointer, step: int, out: Pointer,
    many: int,
) -> None:  # fmt: skip
    """out[v, t] = Σ_ab F[a, b, v] outer[a, t] inner[b, t] for `many` lanes; `step` lies between a factor's lines."""
    lanes, columns = lane_count(out), padded(plan, many)
    if plan.outer or many == 1:
        clear(out, plan.value_pad * plan.width)
    if many == 1:
        _contract_one(plan, memory, outer, inner, step, out)
        return
    for a in range(max(plan.outer, 1)):
        part = offset(memory, a * plan.inner_pad * plan.value_pad)
        factors = offset(outer, a * step)
        for row in range(0, plan.value_pad, ROWS):
            column = 0
            while column + lanes < columns:
                _contract_tile(plan, part, factors, inner, step, out, row, column, zeros(out, 2))
                column += 2 * lanes
            if column < columns:
                _contract_tile(plan, part, factors, inner, step, out, row, column, zeros(out, 1))


@helper
def _contract_one(
    plan: Record, memory: Pointer, outer: Pointer, inner: Pointer, step: int, out: Pointer
) -> None:  # fmt: skip
    """`contract` for a single lane, with values as vector lanes."""
    lanes, value = lane_count(out), plan.value_pad
    zero = zeros(out, 1)[0]
    spare = offset(out, plan.width - lanes)  # of a line's end, which nobody reads
    for k in range(0, value, lanes):
        sums = zero
        place = k
        for a in range(max(plan.outer, 1)):
            x, y = zero, zero
            for b in range(0, plan.inner - 1, 2):
                x = fma(splat(at(inner, b * step)), load(memory, place + b * value), x)
                y = fma(splat(at(inner, (b + 1) * step)), load(memory, place + (b + 1) * value), y)
            if plan.inner & 1:
                b = plan.inner - 1
                x = fma(splat(at(inner, b * step)), load(memory, place + b * value), x)
            x = x + y
            if plan.outer:
                x = x * splat(at(outer, a * step))
            sums = sums + x
            place += plan.inner_pad * value
        store(spare, 0, sums)
        for lane in range(lanes):
            put(out, (k + lane) * plan.width, at(spare, lane))


@helper
def _contract_tile(
    plan: Record, part: Pointer, factors: Pointer, inner: Pointer, step: int, out: Pointer,
    row: int, column: int, like: Block,
) -> None:  # fmt: skip
    value = plan.value_pad
    tile = zero_tile(like, ROWS)
    i, j = row, column
    for _ in range(plan.inner):
        tile = add_rank_one(tile, like, part, i, 1, inner, j)
        i += value
        j += step
    place = row * plan.width + column
    if plan.outer:
        sums = load_tile(tile, like, out, place, plan.width)
        tile = fma_tile(sums, tile, load_rows(like, factors, column, lane_count(out)))
    store_tile(tile, like, out, place, plan.width)


@helper
def contract_backward(
    plan: Record, memory: Pointer, gradient: Pointer, outer: Pointer, inner: Pointer, step: int,
    outer_gradient: Pointer, inner_gradient: Pointer, columns: int,
) -> None:  # fmt: skip
    """The gradients of `contract` by outer and inner, from that by its result."""
    lanes = lane_count(gradient)
    clear(outer_gradient, plan.outer_pad * plan.width)
    clear(inner_gradient, plan.inner_pad * plan.width)
    for a in range(max(plan.outer, 1)):
        part = offset(memory, a * plan.inner_pad * plan.value_pad)
        factors = offset(outer, a * step)
        sums = offset(outer_gradient, a * plan.width)
        for row in range(0, plan.inner_pad, ROWS):
            column = 0
            while column + lanes < columns:
                _contract_backward_tile(
                    plan, part, gradient, factors, inner, step, sums, inner_gradient, row, column,
                    zeros(gradient, 2),
                )  # fmt: skip
                column += 2 * lanes
            if column < columns:
                _contract_backward_tile(
                    plan, part, gradient, factors, inner, step, sums, inner_gradient, row, column,
                    zeros(gradient, 1),
                )  # fmt: skip


@helper
def _contract_backward_tile(
    plan: Record, part: Pointer, gradient: Pointer, factors: Pointer, inner: Pointer, step: int,
    outer_gradient: Pointer, inner_gradient: Pointer, row: int, column: int, like: Block,
) -> None:  # fmt: skip
    value, width = plan.value_pad, plan.width
    tile = zero_tile(like, ROWS)
    i, j = row * value, column
    for _ in range(plan.value):
        tile = add_rank_one(tile, like, part, i, value, gradient, j)
        i += 1
        j += width
    place = row * width + column
    if plan.outer:
        sums = load_tile(tile, like, inner_gradient, place, width)
        lanes = lane_count(gradient)
        sums = fma_tile(sums, tile, load_rows(like, factors, column, lanes))
        store_tile(sums, like, inner_gradient, place, width)
        line = load_rows(like, outer_gradient, column, lanes)
        others = load_tile(tile, like, inner, row * step + column, step)
        store_rows(fold_tiles(line, tile, others), outer_gradient, column, lanes)
    else:
        store_tile(tile, like, inner_gradient, place, width)


@helper
def add_outer_products(
    plan: Record, old: Pointer, keep: Real, has_old: int, new: Pointer, outer: Pointer,
    inner: Pointer, values: Pointer, factors: Pointer, count: int, scaled: Pointer,
) -> None:  # fmt: skip
    """new[a, b, v] = keep old[a, b, v] + Σ_i outer[i, a] inner[i, b] factors[i] values[i, v], arrays by step.

    Without `has_old` the old memory is zero and not read. `scaled` is scratch for `count` rows of values.
    """
    lanes = lane_count(new)
    value = plan.value_pad
    for a in range(max(plan.outer, 1)):
        for i in range(count):
            factor = at(factors, i)
            if plan.outer:
                factor *= at(outer, i * plan.outer_pad + a)
            for k in range(i * value, (i + 1) * value, lanes):
                store(scaled, k, load(values, k) * splat(factor))
        for row in range(0, plan.inner_pad, ROWS):
            place = (a * plan.inner_pad + row) * value
            column = 0
            while column + lanes < value:
                _outer_tile(
                    plan, old, keep, has_old, new, place + column, offset(inner, row), scaled, column,
                    count, zeros(new, 2),
                )  # fmt: skip
                column += 2 * lanes
            if column < value:
                _outer_tile(
                    plan, old, keep, has_old, new, place + column, offset(inner, row), scaled, column,
                    count, zeros(new, 1),
                )  # fmt: skip


@helper
def _outer_tile(
    plan: Record, old: Pointer, keep: Real, has_old: int, new: Pointer, place: int, inner: Pointer,
    scaled: Pointer, column: int, count: int, like: Block,
) -> None:  # fmt: skip
    value, step = plan.value_pad, plan.inner_pad
    tile = zero_tile(like, ROWS)
    if has_old:
        tile = scale_rows(load_tile(tile, like, old, place, value), splat(keep))
    i, j = 0, column
    for _ in range(count):
        tile = add_rank_one(tile, like, inner, i, 1, scaled, j)
        i += step
        j += value
    store_tile(tile, like, new, place, value)


@helper
def pad_memory(plan: Record, source: Pointer, target: Pointer) -> None:
    """A memory as tensors have it, padded."""
    clear(target, plan.state)
    for a in range(max(plan.outer, 1)):
        for b in range(plan.inner):
            copy_row(
                offset(source, (a * plan.inner + b) * plan.value),
                offset(target, (a * plan.inner_pad + b) * plan.value_pad),
                plan.value, plan.value,
            )  # fmt: skip


@helper
def unpad_memory(plan: Record, source: Pointer, target: Pointer) -> None:
    """A padded memory as tensors have it."""
    for a in range(max(plan.outer, 1)):
        for b in range(plan.inner):
            copy_row(
                offset(source, (a * plan.inner_pad + b) * plan.value_pad),
                offset(target, (a * plan.inner + b) * plan.value),
                plan.value, plan.value,
            )  # fmt: skip
