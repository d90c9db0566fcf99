"""The fused backward pass, by hand: one row at a time, from the last chunk to the first.

The gradient from a chunk's end comes first (F̄ = ∂F_C), then its reads, then its writes; see `read_backward`,
`write_backward` and `attention`. Then F̄ becomes the gradient by the chunk's start:

    F̄ ← (Π g) F̄ + Σ_reads G_t₀ ∂x qᵀ + Σ_t G_{t−1,0} ∂p_t k_tᵀ + 2 ρ₀ F₀
"""

from __future__ import annotations

import numba

from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.lines import add_scaled, clear, dot, scale
from fastweights.kernels.mode import arithmetic_mode, use_mode
from fastweights.kernels.simd import (
    at,
    fma,
    lane_count,
    load,
    offset,
    pointer,
    put,
    scalar,
    splat,
    store,
    total,
)
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.delta_memory.cpu.contract import (
    contract,
    contract_backward,
    pad_memory,
    unpad_memory,
)
from fastweights.ops.delta_memory.cpu.frame import (
    BackwardFrame,
    memory_before,
    part,
    read_addresses,
    read_layout,
    read_plan,
    strided,
)
from fastweights.ops.delta_memory.cpu.lines import (
    add_lines,
    column_dots,
    copy_row,
    load_keys,
    padded,
    scale_lines,
    transpose,
)
from fastweights.ops.delta_memory.cpu.read_backward import read_backward
from fastweights.ops.delta_memory.cpu.unit import make_unit_backward
from fastweights.ops.delta_memory.cpu.write_backward import restore_writes, write_backward


@helper
def _run_rows(
    plan_at: int, layout_at: int, addresses_at: int, worker: int, workers: int, eps: Real,
    unit_eps: Real, query_scale: Real,
) -> None:  # fmt: skip
    """Run every workers-th row, from row `worker` on; ε sets the type."""
    plan = read_plan(plan_at)
    layout = read_layout(layout_at)
    tensors = read_addresses(addresses_at)
    work = offset(pointer(tensors.scratch, eps), worker * layout.stride)
    sums = offset(work, layout.memory_sum)
    area = max(plan.outer, 1) * plan.inner * plan.value
    for row in range(worker, plan.rows, workers):
        if layout.has_final:
            final = offset(pointer(tensors.final_gradient, eps), row * area)
            if plan.padded:
                pad_memory(plan, final, sums)
            else:
                copy_row(final, sums, area, area)
        for chunk in range(plan.chunks - 1, -1, -1):
            has_gradient = 1 if chunk < plan.chunks - 1 else layout.has_final
            wants_memory = 1 if chunk > 0 else layout.wants_memory
            if wants_memory and has_gradient == 0:
                clear(sums, plan.state)
            _run_chunk(
                plan, layout, tensors, work, row, chunk, has_gradient, wants_memory, eps, unit_eps,
                query_scale,
            )  # fmt: skip
        if layout.wants_memory:
            target = offset(pointer(tensors.memory_gradient, eps), row * area)
            if plan.padded:
                unpad_memory(plan, sums, target)
            else:
                copy_row(sums, target, area, area)


@helper
def _run_chunk(
    plan: Record, layout: Record, tensors: Record, work: Pointer, row: int, chunk: int,
    has_gradient: int, wants_memory: int, eps: Real, unit_eps: Real, query_scale: Real,
) -> None:  # fmt: skip
    """Run one chunk; where `has_gradient`, F̄ holds the gradient by F at its end."""
    first = chunk * plan.chunk
    count = min(plan.chunk, plan.time - first)
    saved = offset(pointer(tensors.saved, eps), row * plan.saved_stride)
    memory = memory_before(plan, tensors, saved, row, chunk, eps)
    occupied = 1 if chunk > 0 else plan.has_memory
    start = row * plan.time + first
    frame = BackwardFrame(
        plan, tensors, saved, work, row, chunk, first, start, count, memory, occupied, eps,
        unit_eps, query_scale, layout, wants_memory,
    )  # fmt: skip
    sums = offset(work, layout.memory_sum)
    load_keys(frame)
    decay = restore_writes(frame)
    _clear_gradients(frame)
    flow = scalar(eps, 0)
    if has_gradient:
        flow = _end_backward(frame)
        if wants_memory:
            scale(sums, decay, plan.state)
    if plan.reads and tensors.retrieved_gradient != 0:
        read_backward(frame)
    square = write_backward(frame, flow)
    if plan.clamp and occupied and wants_memory:
        add_scaled(memory, square + square, sums, plan.state)
    _write_out(frame)


@helper
def _clear_gradients(frame: BackwardFrame) -> None:
    """Set the gradients of a chunk to 0."""
    plan, layout, work = frame.plan, frame.layout, frame.work
    time = plan.time_pad
    clear(offset(work, layout.written_gradient), time * plan.value_pad)
    clear(offset(work, layout.outer_steps_gradient), time * plan.outer_pad)
    clear(offset(work, layout.inner_steps_gradient), time * plan.inner_pad)
    clear(offset(work, layout.outer_lines_gradient), time * plan.outer_pad)
    clear(offset(work, layout.inner_lines_gradient), time * plan.inner_pad)
    clear(offset(work, layout.flow), time)
    clear(offset(work, layout.square_gradient), time)
    clear(offset(work, layout.gate_sums), time)
    if layout.wants_gate:
        clear(offset(work, layout.gate_lines), time * lane_count(work))


@helper
def _end_backward(frame: BackwardFrame) -> Real:
    """The gradients of keys, w and decays from the memory at the chunk's end; returns ⟨F̄, F_C⟩."""
    plan, layout, work, count = frame.plan, frame.layout, frame.work, frame.length
    width, value, time = plan.width, plan.value_pad, plan.time_pad
    sums = offset(work, layout.memory_sum)
    result, lines = offset(work, plan.result_lines), offset(work, layout.gradient_lines)
    outer_gradient = offset(work, layout.query_outer_gradient)
    inner_gradient = offset(work, layout.query_inner_gradient)
    for s in range(0, count, width):
        many = min(width, count - s)
        columns = padded(plan, many)
        outer, inner = offset(work, plan.outer_lines + s), offset(work, plan.inner_lines + s)
        fading = offset(work, plan.fading + s)
        contract(plan, sums, outer, inner, time, result, many)
        transpose(offset(work, plan.written + s * value), value, lines, width, columns, value)
        column_dots(lines, result, width, width, value, columns, offset(work, layout.across + s))
        scale_lines(result, width, value, columns, fading)
        scale_lines(lines, width, value, columns, fading)
        transpose(
            result, width, offset(work, layout.written_gradient + s * value), value, value, columns
        )
        contract_backward(
            plan, sums, lines, outer, inner, time, outer_gradient, inner_gradient, columns
        )
        if plan.outer:
            target = offset(work, layout.outer_lines_gradient + s)
            add_lines(outer_gradient, width, target, time, plan.outer, columns)
        target = offset(work, layout.inner_lines_gradient + s)
        add_lines(inner_gradient, width, target, time, plan.inner, columns)
    flow = scalar(at(work, 0), 0)
    if frame.occupied and (plan.clamp or layout.wants_gate):
        flow = total(dot(sums, frame.memory, plan.state))
    for t in range(count):
        place = layout.gate_sums + t
        put(work, place, at(work, place) + at(work, plan.fading + t) * flow)
        flow = at(work, plan.decay + t) * flow + at(work, layout.across + t)
    return flow


@helper
def _write_out(frame: BackwardFrame) -> None:
    """The gradients of keys and gate, from all their parts."""
    plan, layout, tensors, work = frame.plan, frame.layout, frame.tensors, frame.work
    count = frame.length
    lanes = lane_count(work)
    if plan.clamp:
        _square_backward(frame)
    if plan.outer:
        room, by_step = offset(work, plan.outer_steps), offset(work, layout.outer_steps_gradient)
        lines = offset(work, layout.outer_lines_gradient)
        _sum_key(plan, by_step, lines, room, plan.outer_pad, count)
        target = part(frame, tensors.outer_key_gradient, plan.outer)
        _write_rows(by_step, target, plan.outer_pad, plan.outer, count)
    room, by_step = offset(work, plan.inner_steps), offset(work, layout.inner_steps_gradient)
    _sum_key(plan, by_step, offset(work, layout.inner_lines_gradient), room, plan.inner_pad, count)
    if plan.unit_keys:
        key = strided(frame, tensors.inner_key, plan.key_row, plan.key_step)
        one = scalar(frame.eps, 1)
        for t in range(count):
            copy_row(offset(key, t * plan.key_step), room, plan.inner, plan.inner_pad)
            row = offset(by_step, t * plan.inner_pad)
            make_unit_backward(room, row, plan.inner_pad, frame.unit_eps, one)
    target = part(frame, tensors.inner_key_gradient, plan.inner)
    _write_rows(by_step, target, plan.inner_pad, plan.inner, count)
    if layout.wants_gate:
        target = part(frame, tensors.gate_gradient, 1)
        for t in range(count):
            lines = total(load(work, layout.gate_lines + t * lanes))
            put(target, t, at(work, layout.gate_sums + t) + lines)


@helper
def _square_backward(frame: BackwardFrame) -> None:
    """The gradient of ‖k‖² = ‖outer‖² ‖inner‖²."""
    plan, layout, work, count = frame.plan, frame.layout, frame.work, frame.length
    for t in range(count):
        gradient = at(work, layout.square_gradient + t)
        gradient += gradient
        other = gradient
        if plan.outer:
            other = gradient * at(work, plan.outer_square + t)
            factor = gradient * at(work, plan.inner_square + t)
            _add_row(work, layout.outer_steps_gradient, plan.outer_steps, t, plan.outer_pad, factor)
        _add_row(work, layout.inner_steps_gradient, plan.inner_steps, t, plan.inner_pad, other)


@helper
def _add_row(work: Pointer, target: int, source: int, t: int, size: int, factor: Real) -> None:
    for k in range(t * size, (t + 1) * size, lane_count(work)):
        sums = fma(load(work, source + k), splat(factor), load(work, target + k))
        store(work, target + k, sums)


@helper
def _sum_key(
    plan: Record, by_step: Pointer, lines: Pointer, room: Pointer, pad: int, count: int
) -> None:  # fmt: skip
    """Add what is in lines to what is by step."""
    transpose(lines, plan.time_pad, room, pad, pad, plan.time_pad)
    add_lines(room, pad, by_step, pad, count, pad)


@helper
def _write_rows(by_step: Pointer, target: Pointer, pad: int, size: int, count: int) -> None:
    for t in range(count):
        copy_row(offset(by_step, t * pad), offset(target, t * size), size, size)


@kernel
def backward(
    plan_at: int, layout_at: int, addresses_at: int, workers: int, eps: Real, unit_eps: Real,
    query_scale: Real,
) -> None:  # fmt: skip
    """Run the backward on one thread."""
    _run_rows(plan_at, layout_at, addresses_at, 0, workers, eps, unit_eps, query_scale)


@kernel(parallel=True)
def backward_parallel(
    plan_at: int, layout_at: int, addresses_at: int, workers: int, eps: Real, unit_eps: Real,
    query_scale: Real,
) -> None:  # fmt: skip
    """Run the backward on `workers` threads."""
    mode = arithmetic_mode()
    for worker in numba.prange(workers):
        use_mode(mode)
        _run_rows(
            plan_at, layout_at, addresses_at, worker, workers, eps, unit_eps, query_scale
        )  # fmt: skip
