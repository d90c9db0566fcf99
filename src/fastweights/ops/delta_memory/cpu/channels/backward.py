"""The fused backward with decays by feature, by hand: one row at a time, from the last chunk to the first."""

from __future__ import annotations

import numba

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.lines import clear, dot
from fastweights.kernels.mode import arithmetic_mode, use_mode
from fastweights.kernels.simd import (
    at,
    fma,
    lane_count,
    load,
    offset,
    pointer,
    put,
    splat,
    store,
    total,
)
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.delta_memory.cpu.channels.chunk import (
    load_chunk,
    load_memory,
    load_rows_of,
    make_pairs,
    multiply,
    read_addresses,
    read_layout,
    read_plan,
    scale_features,
    store_memory,
    store_rows_of,
)
from fastweights.ops.delta_memory.cpu.channels.pairs_backward import (
    add_products,
    decays_backward,
    pairs_backward,
)
from fastweights.ops.delta_memory.cpu.channels.plan import HALF, STEPS
from fastweights.ops.delta_memory.cpu.lines import transpose
from fastweights.ops.delta_memory.cpu.product import product


@helper
def _run_rows(
    plan_at: int, layout_at: int, addresses_at: int, worker: int, workers: int, eps: Real
) -> None:  # fmt: skip
    """Run every workers-th row, from row `worker` on; ε sets the type."""
    plan, layout = read_plan(plan_at), read_layout(layout_at)
    tensors = read_addresses(addresses_at)
    work = offset(pointer(tensors.scratch, eps), worker * layout.stride)
    sums = offset(work, layout.memory)
    area = plan.key * plan.value
    for row in range(worker, plan.rows, workers):
        if layout.has_final:
            load_memory(plan, offset(pointer(tensors.final_gradient, eps), row * area), sums)
        else:
            clear(sums, plan.state)
        for chunk in range(plan.chunks - 1, -1, -1):
            _run_chunk(plan, layout, tensors, work, row, chunk, eps)
        if layout.wants_memory:
            store_memory(plan, sums, offset(pointer(tensors.memory_gradient, eps), row * area))


@helper
def _run_chunk(
    plan: Record, layout: Record, tensors: Record, work: Pointer, row: int, chunk: int, eps: Real
) -> None:  # fmt: skip
    """Run one chunk; the gradient by F at its end becomes that at its start."""
    first = chunk * plan.chunk
    count = min(plan.chunk, plan.time - first)
    start, value = row * plan.time + first, plan.value_pad
    saved = offset(pointer(tensors.saved, eps), row * plan.saved_stride)
    memory = offset(saved, plan.borders + chunk * plan.state)
    written = offset(saved, plan.written + chunk * STEPS * value)
    occupied = 1 if chunk > 0 else plan.has_memory
    load_chunk(plan, tensors, work, start, count, eps)
    make_pairs(plan, work, count)
    _clear_gradients(plan, layout, work)
    retrieved = offset(work, layout.retrieved)
    clear(retrieved, STEPS * value)
    if plan.reads and tensors.retrieved_gradient != 0:
        given = offset(pointer(tensors.retrieved_gradient, eps), start * plan.value)
        load_rows_of(given, plan.value, count, retrieved, value)
    _written_backward(plan, layout, work, written, count)
    if occupied:
        _memory_backward(plan, layout, work, memory)
    _pass_on(plan, layout, work)
    pairs_backward(plan, layout, work, count)
    decays_backward(plan, layout, work)
    _write_out(plan, layout, tensors, work, start, count, eps)


@helper
def _clear_gradients(plan: Record, layout: Record, work: Pointer) -> None:
    """Set to 0 what is added to."""
    size = STEPS * plan.key_pad
    clear(offset(work, layout.keys), size)
    clear(offset(work, layout.gate), size)
    clear(offset(work, layout.erase), size)
    clear(offset(work, layout.query), size)
    clear(offset(work, layout.up_to), size)
    clear(offset(work, layout.before), HALF * plan.key_pad)
    clear(offset(work, layout.behind), HALF * plan.key_pad)


@helper
def _written_backward(
    plan: Record, layout: Record, work: Pointer, written: Pointer, count: int
) -> None:  # fmt: skip
    """The gradients of u and of what is written before it erases, of the pairs, and of keys as F's end has them."""
    room, value = plan.key_pad, plan.value_pad
    gradient, retrieved = offset(work, layout.written), offset(work, layout.retrieved)
    sums, scaled = offset(work, layout.memory), offset(work, plan.scaled)
    multiply(offset(work, plan.keys), offset(work, plan.after), scaled, STEPS * room)
    product(scaled, room, 1, sums, value, plan.key, gradient, value, STEPS, value, 0)
    if plan.reads:
        pairs = offset(work, plan.query_pairs)
        product(pairs, 1, STEPS, retrieved, value, count, gradient, value, STEPS, value, 1)
    if plan.erases:
        if count > HALF:
            _substitute_back(plan, work, gradient, HALF, count - HALF)
            pairs, second = offset(work, plan.erase_pairs + HALF * STEPS), HALF * value
            product(
                pairs, 1, STEPS, offset(gradient, second), value, HALF, gradient, value, HALF,
                value, 1,
            )  # fmt: skip
        _substitute_back(plan, work, gradient, 0, min(count, HALF))
    lines, by_pairs = offset(work, layout.value_lines), offset(work, layout.erase_pairs)
    transpose(written, value, lines, STEPS, STEPS, value)
    if plan.erases:
        product(gradient, value, 1, lines, STEPS, plan.value, by_pairs, STEPS, STEPS, STEPS, 0)
    if plan.reads:
        by_pairs = offset(work, layout.query_pairs)
        product(retrieved, value, 1, lines, STEPS, plan.value, by_pairs, STEPS, STEPS, STEPS, 0)
    key_lines = offset(work, layout.key_lines)
    product(sums, value, 1, lines, STEPS, plan.value, key_lines, STEPS, room, STEPS, 0)
    transpose(key_lines, STEPS, scaled, room, room, STEPS)
    add_products(scaled, offset(work, plan.after), offset(work, layout.keys), STEPS * room)
    multiply(scaled, offset(work, plan.keys), offset(work, layout.after), STEPS * room)


@helper
def _substitute_back(
    plan: Record, work: Pointer, gradient: Pointer, first: int, count: int
) -> None:  # fmt: skip
    """The substitution of a half backwards: each step hands on to the steps before it in the half."""
    value, lanes = plan.value_pad, lane_count(work)
    for t in range(first + count - 2, first - 1, -1):
        for k in range(0, value, lanes):
            g = load(gradient, t * value + k)
            for s in range(t + 1, first + count):
                weight = splat(at(work, plan.erase_pairs + s * STEPS + t))
                g = fma(weight, load(gradient, s * value + k), g)
            store(gradient, t * value + k, g)


@helper
def _memory_backward(plan: Record, layout: Record, work: Pointer, memory: Pointer) -> None:
    """From what was found in F at the chunk's start to erase keys, queries and decays; and from F's end to these."""
    room, value = plan.key_pad, plan.value_pad
    lines, key_lines = offset(work, layout.value_lines), offset(work, layout.key_lines)
    found, up_to = offset(work, plan.scaled), offset(work, plan.up_to)
    by_up_to, size = offset(work, layout.up_to), STEPS * room
    if plan.erases:
        transpose(offset(work, layout.written), value, lines, STEPS, STEPS, value)
        product(memory, value, 1, lines, STEPS, plan.value, key_lines, STEPS, room, STEPS, 0)
        transpose(key_lines, STEPS, found, room, room, STEPS)
        add_products(found, up_to, offset(work, layout.erase), size)
        add_products(found, offset(work, plan.erase), by_up_to, size)
    if plan.reads:
        transpose(offset(work, layout.retrieved), value, lines, STEPS, STEPS, value)
        product(memory, value, 1, lines, STEPS, plan.value, key_lines, STEPS, room, STEPS, 0)
        transpose(key_lines, STEPS, found, room, room, STEPS)
        add_products(found, up_to, offset(work, layout.query), size)
        add_products(found, offset(work, plan.query), by_up_to, size)
    sums, last = offset(work, layout.memory), layout.up_to + (STEPS - 1) * room
    for d in range(plan.key):
        row = d * value
        kept = total(dot(offset(sums, row), offset(memory, row), value))
        put(work, last + d, at(work, last + d) + kept)


@helper
def _pass_on(plan: Record, layout: Record, work: Pointer) -> None:
    """The gradient by F at the chunk's start."""
    room, value, size = plan.key_pad, plan.value_pad, STEPS * plan.key_pad
    sums, scaled = offset(work, layout.memory), offset(work, plan.scaled)
    up_to = offset(work, plan.up_to)
    scale_features(plan, sums, offset(up_to, (STEPS - 1) * room), sums)
    if plan.erases:
        multiply(up_to, offset(work, plan.erase), scaled, size)
        written = offset(work, layout.written)
        product(scaled, 1, room, written, value, STEPS, sums, value, room, value, 1)
    if plan.reads:
        multiply(up_to, offset(work, plan.query), scaled, size)
        retrieved = offset(work, layout.retrieved)
        product(scaled, 1, room, retrieved, value, STEPS, sums, value, room, value, 1)


@helper
def _write_out(
    plan: Record, layout: Record, tensors: Record, work: Pointer, start: int, count: int, eps: Real
) -> None:  # fmt: skip
    """Write the gradients of a chunk's arguments."""
    room, shift = plan.key_pad, start * plan.key
    keys, gate = offset(work, layout.keys), offset(work, layout.gate)
    by_keys = offset(pointer(tensors.keys_gradient, eps), shift)
    store_rows_of(keys, room, count, by_keys, plan.key)
    store_rows_of(gate, room, count, offset(pointer(tensors.gate_gradient, eps), shift), plan.key)
    if plan.erases:
        erase, zero = offset(work, layout.erase), zeros(work, 1)[0]
        for k in range(0, count * room, lane_count(work)):
            store(erase, k, zero - load(erase, k))
        by_erase = offset(pointer(tensors.erase_gradient, eps), shift)
        store_rows_of(erase, room, count, by_erase, plan.key)
    if plan.reads:
        by_query = offset(pointer(tensors.query_gradient, eps), shift)
        store_rows_of(offset(work, layout.query), room, count, by_query, plan.key)
    by_values = offset(pointer(tensors.values_gradient, eps), start * plan.value)
    store_rows_of(offset(work, layout.written), plan.value_pad, count, by_values, plan.value)


@kernel
def backward(plan_at: int, layout_at: int, addresses_at: int, workers: int, eps: Real) -> None:
    """Run the backward on one thread."""
    _run_rows(plan_at, layout_at, addresses_at, 0, workers, eps)


@kernel(parallel=True)
def backward_parallel(
    plan_at: int, layout_at: int, addresses_at: int, workers: int, eps: Real
) -> None:  # fmt: skip
    """Run the backward on `workers` threads."""
    mode = arithmetic_mode()
    for worker in numba.prange(workers):
        use_mode(mode)
        _run_rows(plan_at, layout_at, addresses_at, worker, workers, eps)
