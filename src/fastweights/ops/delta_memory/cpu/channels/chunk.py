"""A chunk of one row: its arrays by step, the products of its decays, and the pairs of its steps."""

from __future__ import annotations

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.lines import clear
from fastweights.kernels.record import reader
from fastweights.kernels.simd import (
    at,
    fma,
    lane_count,
    load,
    offset,
    one,
    pointer,
    put,
    splat,
    store,
    total,
)
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.delta_memory.cpu.channels.plan import (
    HALF,
    STEPS,
    Addresses,
    BackwardPlan,
    Plan,
)
from fastweights.ops.delta_memory.cpu.lines import copy_row, transpose
from fastweights.ops.delta_memory.cpu.product import product

read_plan = reader(Plan._fields)
read_layout = reader(BackwardPlan._fields)
read_addresses = reader(Addresses._fields)


@helper
def load_rows_of(source: Pointer, size: int, count: int, target: Pointer, room: int) -> None:
    """Copy a chunk's rows of a tensor, padded with zeros in both directions."""
    for t in range(count):
        copy_row(offset(source, t * size), offset(target, t * room), size, room)
    clear(offset(target, count * room), (STEPS - count) * room)


@helper
def store_rows_of(source: Pointer, room: int, count: int, target: Pointer, size: int) -> None:
    """Copy rows back."""
    for t in range(count):
        copy_row(offset(source, t * room), offset(target, t * size), size, size)


@helper
def multiply(left: Pointer, right: Pointer, out: Pointer, size: int) -> None:
    """out = left right, number by number."""
    for k in range(0, size, lane_count(left)):
        store(out, k, load(left, k) * load(right, k))


@helper
def load_chunk(
    plan: Record, tensors: Record, work: Pointer, start: int, count: int, eps: Real
) -> None:  # fmt: skip
    """Load keys, decays, erase keys (negative) and queries, and multiply the decays up."""
    size, room = plan.key, plan.key_pad
    lanes, shift = lane_count(work), start * plan.key
    gate, erase, query = (
        offset(work, plan.gate), offset(work, plan.erase), offset(work, plan.query)
    )  # fmt: skip
    load_rows_of(
        offset(pointer(tensors.keys, eps), shift), size, count, offset(work, plan.keys), room
    )
    load_rows_of(offset(pointer(tensors.gate, eps), shift), size, count, gate, room)
    for k in range(count * room, STEPS * room, lanes):  # a step that is not there keeps all
        store(gate, k, one(work))
    clear(erase, STEPS * room)
    if plan.erases:
        load_rows_of(offset(pointer(tensors.erase, eps), shift), size, count, erase, room)
        zero = zeros(work, 1)[0]
        for k in range(0, count * room, lanes):
            store(erase, k, zero - load(erase, k))
    clear(query, STEPS * room)
    if plan.reads:
        load_rows_of(offset(pointer(tensors.query, eps), shift), size, count, query, room)
    for k in range(0, room, lanes):
        _run_up(work, gate, room, plan.up_to + k, k, 0, STEPS)
        _run_down(work, gate, room, plan.after + k, k, 0, STEPS)
        _run_up(work, gate, room, plan.before + k, k, HALF, HALF)
        _run_down(work, gate, room, plan.behind + k, k, 0, HALF)


@helper
def _run_up(
    work: Pointer, gate: Pointer, room: int, place: int, k: int, first: int, count: int
) -> None:  # fmt: skip
    """Products of decays from step `first` on, each with its own."""
    product_so_far = one(work)
    for t in range(count):
        product_so_far = product_so_far * load(gate, (first + t) * room + k)
        store(work, place + t * room, product_so_far)


@helper
def _run_down(
    work: Pointer, gate: Pointer, room: int, place: int, k: int, first: int, count: int
) -> None:  # fmt: skip
    """Products of decays up to the last of `count` steps, each without its own."""
    product_so_far = one(work)
    for t in range(count - 1, -1, -1):
        store(work, place + t * room, product_so_far)
        product_so_far = product_so_far * load(gate, (first + t) * room + k)


@helper
def make_pairs(plan: Record, work: Pointer, count: int) -> None:
    """The pairs −E ⋆ K below the diagonal and Q ⋆ K up to it, zeros elsewhere."""
    clear(offset(work, plan.erase_pairs), STEPS * STEPS)
    clear(offset(work, plan.query_pairs), STEPS * STEPS)
    for first in range(0, count, HALF):
        _near_pairs(plan, work, first, min(HALF, count - first))
    if count <= HALF:
        return
    room, columns, lines = plan.key_pad, offset(work, plan.columns), offset(work, plan.lines)
    multiply(offset(work, plan.keys), offset(work, plan.behind), columns, HALF * room)
    transpose(columns, room, lines, HALF, HALF, room)
    before, far = offset(work, plan.before), HALF * STEPS
    if plan.erases:
        rows = offset(work, plan.erase_rows)
        multiply(offset(work, plan.erase + HALF * room), before, rows, HALF * room)
        product(
            rows, room, 1, lines, HALF, plan.key, offset(work, plan.erase_pairs + far), STEPS, HALF,
            HALF, 0,
        )  # fmt: skip
    if plan.reads:
        rows = offset(work, plan.query_rows)
        multiply(offset(work, plan.query + HALF * room), before, rows, HALF * room)
        product(
            rows, room, 1, lines, HALF, plan.key, offset(work, plan.query_pairs + far), STEPS, HALF,
            HALF, 0,
        )  # fmt: skip


@helper
def _near_pairs(plan: Record, work: Pointer, first: int, count: int) -> None:
    """The pairs within a half."""
    room, lanes = plan.key_pad, lane_count(work)
    keys, gate = offset(work, plan.keys + first * room), offset(work, plan.gate + first * room)
    erase, query = offset(work, plan.erase + first * room), offset(work, plan.query + first * room)
    held = offset(work, plan.product)
    place = first * STEPS + first
    zero = zeros(work, 1)[0]
    for i in range(count):
        for k in range(0, room, lanes):
            store(held, k, load(keys, i * room + k))
        for t in range(i, count):
            x, y = zero, zero
            for k in range(0, room, lanes):
                z = load(held, k)
                if t > i:
                    z = z * load(gate, t * room + k)
                    store(held, k, z)
                    x = fma(load(erase, t * room + k), z, x)
                y = fma(load(query, t * room + k), z, y)
            if t > i and plan.erases:
                put(work, plan.erase_pairs + place + t * STEPS + i, total(x))
            if plan.reads:
                put(work, plan.query_pairs + place + t * STEPS + i, total(y))


@helper
def load_memory(plan: Record, source: Pointer, target: Pointer) -> None:
    """A memory as tensors have it, padded."""
    clear(target, plan.state)
    for d in range(plan.key):
        row = offset(target, d * plan.value_pad)
        copy_row(offset(source, d * plan.value), row, plan.value, plan.value_pad)


@helper
def store_memory(plan: Record, source: Pointer, target: Pointer) -> None:
    """A padded memory as tensors have it."""
    for d in range(plan.key):
        row = offset(target, d * plan.value)
        copy_row(offset(source, d * plan.value_pad), row, plan.value, plan.value)


@helper
def scale_features(plan: Record, memory: Pointer, factors: Pointer, target: Pointer) -> None:
    """target = diag(factors) F."""
    size = plan.value_pad
    for d in range(plan.key_pad):
        factor = splat(at(factors, d))
        for k in range(d * size, (d + 1) * size, lane_count(memory)):
            store(target, k, load(memory, k) * factor)
