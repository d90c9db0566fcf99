"""The fused forward pass, one row at a time: chunk by chunk the writes, the reads, and F at the chunk's end.

F_C = (Π g) F₀ + Σ_i G_Ci w_i k_iᵀ
"""

from __future__ import annotations

import numba

from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.mode import arithmetic_mode, use_mode
from fastweights.kernels.simd import offset, pointer
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.delta_memory.cpu.contract import add_outer_products, pad_memory, unpad_memory
from fastweights.ops.delta_memory.cpu.frame import Frame, memory_before, read_addresses, read_plan
from fastweights.ops.delta_memory.cpu.lines import load_keys
from fastweights.ops.delta_memory.cpu.read import read_chunk
from fastweights.ops.delta_memory.cpu.write import write_chunk


@helper
def _run_rows(
    plan_at: int, addresses_at: int, worker: int, workers: int, eps: Real, unit_eps: Real,
    query_scale: Real,
) -> None:  # fmt: skip
    """Run every workers-th row, from row `worker` on; ε sets the type."""
    plan = read_plan(plan_at)
    tensors = read_addresses(addresses_at)
    work = offset(pointer(tensors.scratch, eps), worker * plan.stride)
    area = max(plan.outer, 1) * plan.inner * plan.value
    for row in range(worker, plan.rows, workers):
        saved = offset(pointer(tensors.saved, eps), row * plan.saved_stride)
        if plan.has_memory and plan.padded:
            initial = offset(pointer(tensors.memory, eps), row * area)
            pad_memory(plan, initial, offset(saved, plan.initial))
        for chunk in range(plan.chunks):
            target = offset(saved, plan.borders + chunk * plan.state)
            final = offset(pointer(tensors.final, eps), row * area)
            if chunk == plan.chunks - 1:
                target = final
                if plan.padded:
                    target = offset(work, plan.final)
            _run_chunk(plan, tensors, saved, work, row, chunk, target, eps, unit_eps, query_scale)
            if chunk == plan.chunks - 1 and plan.padded:
                unpad_memory(plan, target, final)


@helper
def _run_chunk(
    plan: Record, tensors: Record, saved: Pointer, work: Pointer, row: int, chunk: int,
    target: Pointer, eps: Real, unit_eps: Real, query_scale: Real,
) -> None:  # fmt: skip
    """Run one chunk; F at its end goes to `target`."""
    first = chunk * plan.chunk
    count = min(plan.chunk, plan.time - first)
    memory = memory_before(plan, tensors, saved, row, chunk, eps)
    occupied = 1 if chunk > 0 else plan.has_memory
    start = row * plan.time + first
    frame = Frame(
        plan, tensors, saved, work, row, chunk, first, start, count, memory, occupied, eps,
        unit_eps, query_scale,
    )  # fmt: skip
    load_keys(frame)
    decay = write_chunk(frame)
    if plan.reads:
        read_chunk(frame)
    add_outer_products(
        plan, memory, decay, occupied, target, offset(work, plan.outer_steps),
        offset(work, plan.inner_steps), offset(work, plan.written), offset(work, plan.fading), count,
        offset(work, plan.scaled),
    )  # fmt: skip


@kernel
def forward(
    plan_at: int, addresses_at: int, workers: int, eps: Real, unit_eps: Real, query_scale: Real
) -> None:  # fmt: skip
    """Run the forward on one thread."""
    _run_rows(plan_at, addresses_at, 0, workers, eps, unit_eps, query_scale)


@kernel(parallel=True)
def forward_parallel(
    plan_at: int, addresses_at: int, workers: int, eps: Real, unit_eps: Real, query_scale: Real
) -> None:  # fmt: skip
    """Run the forward on `workers` threads."""
    mode = arithmetic_mode()
    for worker in numba.prange(workers):
        use_mode(mode)
        _run_rows(plan_at, addresses_at, worker, workers, eps, unit_eps, query_scale)
