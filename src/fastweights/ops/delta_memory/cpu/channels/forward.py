"""The fused forward with decays by feature, one row at a time; see `..channels` for the equations."""

from __future__ import annotations

import numba

from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.lines import clear
from fastweights.kernels.mode import arithmetic_mode, use_mode
from fastweights.kernels.simd import at, fma, lane_count, load, offset, pointer, splat, store
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.delta_memory.cpu.channels.chunk import (
    load_chunk,
    load_memory,
    load_rows_of,
    make_pairs,
    multiply,
    read_addresses,
    read_plan,
    scale_features,
    store_memory,
    store_rows_of,
)
from fastweights.ops.delta_memory.cpu.channels.plan import HALF, STEPS
from fastweights.ops.delta_memory.cpu.lines import padded
from fastweights.ops.delta_memory.cpu.product import product


@helper
def _run_rows(plan_at: int, addresses_at: int, worker: int, workers: int, eps: Real) -> None:
    """Run every workers-th row, from row `worker` on; ε sets the type."""
    plan, tensors = read_plan(plan_at), read_addresses(addresses_at)
    work = offset(pointer(tensors.scratch, eps), worker * plan.stride)
    area = plan.key * plan.value
    for row in range(worker, plan.rows, workers):
        saved = offset(pointer(tensors.saved, eps), row * plan.saved_stride)
        start = offset(saved, plan.borders)
        if plan.has_memory:
            load_memory(plan, offset(pointer(tensors.memory, eps), row * area), start)
        else:
            clear(start, plan.state)
        for chunk in range(plan.chunks):
            target = offset(work, plan.final)
            if chunk < plan.chunks - 1:
                target = offset(saved, plan.borders + (chunk + 1) * plan.state)
            _run_chunk(plan, tensors, saved, work, row, chunk, target, eps)
        final = offset(pointer(tensors.final, eps), row * area)
        store_memory(plan, offset(work, plan.final), final)


@helper
def _run_chunk(
    plan: Record, tensors: Record, saved: Pointer, work: Pointer, row: int, chunk: int,
    target: Pointer, eps: Real,
) -> None:  # fmt: skip
    """Run one chunk; F at its end goes to `target`."""
    first = chunk * plan.chunk
    count = min(plan.chunk, plan.time - first)
    start, room, value = row * plan.time + first, plan.key_pad, plan.value_pad
    rows = padded(plan, count)
    memory = offset(saved, plan.borders + chunk * plan.state)
    written = offset(saved, plan.written + chunk * STEPS * value)
    occupied = 1 if chunk > 0 else plan.has_memory
    load_chunk(plan, tensors, work, start, count, eps)
    make_pairs(plan, work, count)
    values = offset(pointer(tensors.values, eps), start * plan.value)
    load_rows_of(values, plan.value, count, written, value)
    up_to, scaled = offset(work, plan.up_to), offset(work, plan.scaled)
    if plan.erases:
        if occupied:
            multiply(up_to, offset(work, plan.erase), scaled, rows * room)
            product(scaled, room, 1, memory, value, plan.key, written, value, rows, value, 1)
        _substitute(plan, work, written, 0, min(count, HALF))
        if count > HALF:
            pairs = offset(work, plan.erase_pairs + HALF * STEPS)
            second = offset(written, HALF * value)
            product(pairs, STEPS, 1, written, value, HALF, second, value, HALF, value, 1)
            _substitute(plan, work, written, HALF, count - HALF)
    if plan.reads:
        results = offset(work, plan.results)
        pairs = offset(work, plan.query_pairs)
        product(pairs, STEPS, 1, written, value, count, results, value, rows, value, 0)
        if occupied:
            multiply(up_to, offset(work, plan.query), scaled, rows * room)
            product(scaled, room, 1, memory, value, plan.key, results, value, rows, value, 1)
        retrieved = offset(pointer(tensors.retrieved, eps), start * plan.value)
        store_rows_of(results, value, count, retrieved, plan.value)
    if occupied:
        scale_features(plan, memory, offset(up_to, (STEPS - 1) * room), target)
    else:
        clear(target, plan.state)
    multiply(offset(work, plan.keys), offset(work, plan.after), scaled, rows * room)
    product(scaled, 1, room, written, value, count, target, value, room, value, 1)


@helper
def _substitute(plan: Record, work: Pointer, written: Pointer, first: int, count: int) -> None:
    """Finish u of a half: each step takes away what the steps before it in the half wrote."""
    value, lanes = plan.value_pad, lane_count(work)
    for t in range(first + 1, first + count):
        row = plan.erase_pairs + t * STEPS
        for k in range(0, value, lanes):
            u = load(written, t * value + k)
            for i in range(first, t):
                u = fma(splat(at(work, row + i)), load(written, i * value + k), u)
            store(written, t * value + k, u)


@kernel
def forward(plan_at: int, addresses_at: int, workers: int, eps: Real) -> None:
    """Run the forward on one thread."""
    _run_rows(plan_at, addresses_at, 0, workers, eps)


@kernel(parallel=True)
def forward_parallel(plan_at: int, addresses_at: int, workers: int, eps: Real) -> None:
    """Run the forward on `workers` threads."""
    mode = arithmetic_mode()
    for worker in numba.prange(workers):
        use_mode(mode)
        _run_rows(plan_at, addresses_at, worker, workers, eps)
