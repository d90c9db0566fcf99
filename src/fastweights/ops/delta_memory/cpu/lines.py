"""Between tensors, arrays by step and arrays in lines, and arithmetic on lines."""

from __future__ import annotations

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.lines import clear, dot
from fastweights.kernels.record import reader
from fastweights.kernels.simd import (
    at,
    fma,
    lane_count,
    load,
    offset,
    put,
    scalar,
    store,
    total,
)
from fastweights.kernels.transpose import transpose_tile
from fastweights.kernels.types import Pointer, Record
from fastweights.ops.delta_memory.cpu.plan import Addresses, Plan
from fastweights.ops.delta_memory.cpu.plan_backward import BackwardPlan

read_plan = reader(Plan._fields)
read_layout = reader(BackwardPlan._fields)
read_addresses = reader(Addresses._fields)


@helper
def padded(plan: Record, size: int) -> int:
    """The size rounded up to whole units."""
    return (size + plan.unit - 1) // plan.unit * plan.unit


@helper
def copy_row(source: Pointer, target: Pointer, size: int, room: int) -> None:
    """Copy `size` scalars, and zeros up to `room`."""
    lanes = lane_count(source)
    k = 0
    while k + lanes <= size:
        store(target, k, load(source, k))
        k += lanes
    while k < size:
        put(target, k, at(source, k))
        k += 1
    while k < room:
        put(target, k, scalar(at(target, 0), 0))
        k += 1


@helper
def transpose(
    source: Pointer, source_step: int, target: Pointer, target_step: int, rows: int, columns: int
) -> None:  # fmt: skip
    """target[c, r] = source[r, c]; both sizes in whole vectors."""
    lanes = lane_count(source)
    for row in range(0, rows, lanes):
        for column in range(0, columns, lanes):
            transpose_tile(
                source, row * source_step + column, source_step, lanes, source, target,
                column * target_step + row, target_step,
            )  # fmt: skip


@helper
def copy_lines(
    source: Pointer, source_step: int, target: Pointer, target_step: int, rows: int, columns: int
) -> None:  # fmt: skip
    """target = source."""
    for row in range(rows):
        for k in range(0, columns, lane_count(source)):
            store(target, row * target_step + k, load(source, row * source_step + k))


@helper
def add_lines(
    source: Pointer, source_step: int, target: Pointer, target_step: int, rows: int, columns: int
) -> None:  # fmt: skip
    """target += source."""
    for row in range(rows):
        for k in range(0, columns, lane_count(source)):
            place = row * target_step + k
            store(target, place, load(target, place) + load(source, row * source_step + k))


@helper
def scale_lines(x: Pointer, step: int, rows: int, columns: int, factors: Pointer) -> None:
    """x[r, c] *= factors[c]."""
    lanes = lane_count(x)
    for k in range(0, columns, lanes):
        factor = load(factors, k)
        for row in range(rows):
            store(x, row * step + k, load(x, row * step + k) * factor)


@helper
def column_dots(
    x: Pointer, y: Pointer, y_step: int, step: int, rows: int, columns: int, out: Pointer
) -> None:  # fmt: skip
    """out[c] = Σ_r x[r, c] y[r, c]."""
    for k in range(0, columns, lane_count(x)):
        line = zeros(x, 1)[0]
        for row in range(rows):
            line = fma(load(x, row * step + k), load(y, row * y_step + k), line)
        store(out, k, line)


@helper
def load_steps(
    plan: Record, source: Pointer, size: int, count: int, steps: Pointer, room: int, lines: Pointer
) -> None:  # fmt: skip
    """Copy a chunk's rows of a tensor: by step, and in lines."""
    for t in range(count):
        copy_row(offset(source, t * size), offset(steps, t * room), size, room)
    clear(offset(steps, count * room), (plan.time_pad - count) * room)
    transpose(steps, room, lines, plan.time_pad, plan.time_pad, room)


@helper
def load_keys(
    plan: Record, work: Pointer, row: int, first: int, count: int, outer: Pointer, inner: Pointer
) -> None:  # fmt: skip
    """The key factors of a chunk in both layouts, and their squared norms."""
    start = row * plan.time + first
    if plan.outer:
        steps = offset(work, plan.outer_steps)
        load_steps(
            plan, offset(outer, start * plan.outer), plan.outer, count, steps, plan.outer_pad,
            offset(work, plan.outer_lines),
        )  # fmt: skip
        square = offset(work, plan.outer_square)
        for t in range(count):
            key = offset(steps, t * plan.outer_pad)
            put(square, t, total(dot(key, key, plan.outer_pad)))
    steps = offset(work, plan.inner_steps)
    load_steps(
        plan, offset(inner, start * plan.inner), plan.inner, count, steps, plan.inner_pad,
        offset(work, plan.inner_lines),
    )  # fmt: skip
    square = offset(work, plan.inner_square)
    for t in range(count):
        key = offset(steps, t * plan.inner_pad)
        put(square, t, total(dot(key, key, plan.inner_pad)))


@helper
def gather(
    plan: Record, source: Pointer, stride: int, size: int, asked: Pointer, many: int,
    target: Pointer, room: int, head: int,
) -> None:  # fmt: skip
    """target[j] = the row of step asked[j] after `head` scalars, for a block's lanes j; elsewhere 0."""
    for j in range(many):
        t = int(at(asked, j))
        clear(offset(target, j * room), padded(plan, head))
        copy_row(offset(source, t * stride), offset(target, j * room + head), size, room - head)
    clear(offset(target, many * room), (padded(plan, many) - many) * room)


@helper
def scatter(
    source: Pointer, room: int, asked: Pointer, many: int, target: Pointer, stride: int, size: int
) -> None:  # fmt: skip
    """The row of step asked[j] = source[j]."""
    for j in range(many):
        t = int(at(asked, j))
        copy_row(offset(source, j * room), offset(target, t * stride), size, size)


@helper
def list_reads(plan: Record, mask: Pointer, count: int, asked: Pointer) -> int:
    """Write down which steps of a chunk read, and return how many do."""
    many = 0
    for t in range(count):
        if plan.selective == 0 or at(mask, t) != 0:
            put(asked, many, scalar(at(asked, 0), t))
            many += 1
    return many
