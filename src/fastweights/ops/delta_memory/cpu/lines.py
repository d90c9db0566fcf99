"""Between tensors, arrays by step and arrays in lines, and arithmetic on lines."""

from __future__ import annotations

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.lines import clear, dot
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
from fastweights.ops.delta_memory.cpu.frame import Frame, mask_part, part, strided
from fastweights.ops.delta_memory.cpu.unit import make_unit


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
    plan: Record, source: Pointer, step: int, size: int, count: int, steps: Pointer, room: int
) -> None:  # fmt: skip
    """Copy a chunk's rows of a tensor, which lie `step` scalars apart."""
    for t in range(count):
        copy_row(offset(source, t * step), offset(steps, t * room), size, room)
    clear(offset(steps, count * room), (plan.time_pad - count) * room)


@helper
def load_keys(frame: Frame) -> None:
    """The key factors of a chunk in both layouts, and their squared norms."""
    plan, tensors, work, count = frame.plan, frame.tensors, frame.work, frame.length
    if plan.outer:
        steps, lines = offset(work, plan.outer_steps), offset(work, plan.outer_lines)
        outer = part(frame, tensors.outer_key, plan.outer)
        load_steps(plan, outer, plan.outer, plan.outer, count, steps, plan.outer_pad)
        transpose(steps, plan.outer_pad, lines, plan.time_pad, plan.time_pad, plan.outer_pad)
        _square(steps, plan.outer_pad, count, offset(work, plan.outer_square))
    steps, lines = offset(work, plan.inner_steps), offset(work, plan.inner_lines)
    inner = strided(frame, tensors.inner_key, plan.key_row, plan.key_step)
    load_steps(plan, inner, plan.key_step, plan.inner, count, steps, plan.inner_pad)
    if plan.unit_keys:
        for t in range(count):
            row = offset(steps, t * plan.inner_pad)
            make_unit(row, plan.inner_pad, frame.unit_eps, scalar(frame.eps, 1))
    transpose(steps, plan.inner_pad, lines, plan.time_pad, plan.time_pad, plan.inner_pad)
    _square(steps, plan.inner_pad, count, offset(work, plan.inner_square))


@helper
def _square(steps: Pointer, size: int, count: int, squares: Pointer) -> None:
    for t in range(count):
        key = offset(steps, t * size)
        put(squares, t, total(dot(key, key, size)))


@helper
def gather(
    plan: Record, source: Pointer, stride: int, size: int, read_steps: Pointer, many: int,
    target: Pointer, room: int, head: int,
) -> None:  # fmt: skip
    """target[j] = the row of step read_steps[j] after `head` scalars, for a block's lanes j; elsewhere 0."""
    for j in range(many):
        t = int(at(read_steps, j))
        clear(offset(target, j * room), padded(plan, head))
        copy_row(offset(source, t * stride), offset(target, j * room + head), size, room - head)
    clear(offset(target, many * room), (padded(plan, many) - many) * room)


@helper
def scatter(
    source: Pointer, room: int, read_steps: Pointer, many: int, target: Pointer, stride: int,
    size: int,
) -> None:  # fmt: skip
    """The row of step read_steps[j] = source[j]."""
    for j in range(many):
        t = int(at(read_steps, j))
        copy_row(offset(source, j * room), offset(target, t * stride), size, size)


@helper
def list_reads(frame: Frame) -> int:
    """Write down which steps of a chunk read, and return how many do."""
    plan = frame.plan
    mask, read_steps = (
        mask_part(frame, frame.tensors.read_mask),
        offset(frame.work, plan.read_steps),
    )
    many = 0
    for t in range(frame.length):
        if plan.selective == 0 or at(mask, t) != 0:
            put(read_steps, many, scalar(frame.eps, t))
            many += 1
    return many
