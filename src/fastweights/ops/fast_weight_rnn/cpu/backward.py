"""The fused backward pass, by hand: one row block at a time, from the last step to the first.

A step takes its gradient from later reads of its chunk just before it is needed; `backward_memory` has the equations.
"""

from __future__ import annotations

import numba

from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.lines import add, clear, copy
from fastweights.kernels.mode import arithmetic_mode, use_mode
from fastweights.kernels.simd import offset, pointer
from fastweights.kernels.types import Real
from fastweights.ops.fast_weight_rnn.cpu.backward_memory import (
    add_grad_from_reads,
    grad_from_later_chunks,
    grad_of_initial,
    grad_of_start,
    query_of,
    read_backward,
    read_gradient_of,
)
from fastweights.ops.fast_weight_rnn.cpu.contract import matvec, matvec_with_prefetch, pack
from fastweights.ops.fast_weight_rnn.cpu.layout import (
    Frame,
    count_of,
    from_lines,
    read_addresses,
    read_layout,
    read_plan,
    rows_of,
    to_lines,
)
from fastweights.ops.fast_weight_rnn.cpu.norm import (
    activate_backward,
    normalise_backward,
)
from fastweights.ops.fast_weight_rnn.cpu.reduce import reduce


@helper
def _run_blocks(
    plan_at: int, layout_at: int, addresses_at: int, worker: int, workers: int, decay: Real,
    rate: Real, inverse: Real,
) -> None:  # fmt: skip
    """Run every workers-th row block, from block `worker` on; `inverse` is 1 / H."""
    plan = read_plan(plan_at)
    layout = read_layout(layout_at)
    tensors = read_addresses(addresses_at)
    scratch = pointer(tensors.scratch, inverse)
    work = offset(scratch, layout.workers + worker * layout.worker_stride)
    packed = offset(work, layout.packed)
    pack(pointer(tensors.recurrent_weight, inverse), packed, plan.hidden, 1)
    clear(work, plan.lanes)
    clear(offset(work, layout.zeros), plan.hidden * plan.lanes)
    for number in range(worker, plan.blocks, workers):
        block = offset(scratch, number * layout.block_stride)
        saved = offset(pointer(tensors.saved, inverse), number * plan.saved_stride)
        frame = Frame(plan, layout, tensors, saved, block, work, number, decay, rate, inverse)
        clear(offset(block, layout.gains), layout.gain_lines * plan.lanes)
        for t in range(plan.time - 1, -1, -1):
            chunk = t // plan.chunk
            length = min(plan.chunk, plan.time - chunk * plan.chunk)
            last = chunk == plan.chunks - 1
            if t % plan.chunk == length - 1 and not last:
                grad_from_later_chunks(frame, chunk)
            _sum_gradients(frame, t, length)
            _step(frame, t)
            if t % plan.chunk == 0 and chunk > 0:
                grad_of_start(frame, chunk, length, last)
        if plan.has_hidden:
            _hidden_gradient(frame)
        if plan.has_memory:
            grad_of_initial(frame)


@helper
def _sum_gradients(frame: Frame, t: int, length: int) -> None:
    """dh(t): the gradient from outside, and from later steps."""
    plan, layout, tensors = frame.plan, frame.layout, frame.tensors
    saved, block, work = frame.saved, frame.block, frame.work
    size, lanes, time = plan.hidden, plan.lanes, plan.time
    state = size * lanes
    n = t % plan.chunk
    dh = offset(work, layout.dh)
    gradient = offset(rows_of(frame, tensors.outputs_gradient, time * size), t * size)
    count = count_of(frame)
    to_lines(gradient, time * size, count, work, dh, size)
    if t == time - 1:
        return
    later = offset(block, layout.dz + (t + 1) * state)
    out = offset(rows_of(frame, tensors.drive_gradient, time * size), t * size)
    matvec_with_prefetch(
        offset(work, layout.packed), later, dh, size, query_of(frame, t, 0),
        offset(saved, plan.before + t * plan.steps * state), offset(later, -state),
        offset(gradient, -size), out, time * size, count,
    )  # fmt: skip
    if plan.flat:
        add(offset(work, layout.flat_gradient), dh, state)
    add_grad_from_reads(frame, dh, t, length)
    if t // plan.chunk < plan.chunks - 1:
        add(offset(work, layout.later_gradients + n * state), dh, state)


@helper
def _step(frame: Frame, t: int) -> None:
    """From dh(t) through the inner steps to dz(t), which is ∂drive(t)."""
    plan, layout, tensors = frame.plan, frame.layout, frame.tensors
    saved, block, work = frame.saved, frame.block, frame.work
    size, lanes, time = plan.hidden, plan.lanes, plan.time
    state = size * lanes
    dh = offset(work, layout.dh)
    dz = offset(block, layout.dz + t * state)
    zeros = offset(work, layout.zeros)
    total = read_gradient_of(frame, t, 0)
    if plan.steps > 1:
        total = dz
        clear(dz, state)
    for s in range(plan.steps - 1, -1, -1):
        dy = read_gradient_of(frame, t, s)
        query = query_of(frame, t, s)
        after = offset(query, state)
        if s == plan.steps - 1:
            after = offset(saved, plan.history + (t + 1) * state)
        if plan.norm:
            read = t * plan.steps + s
            normalise_backward(
                dh, after, plan.use_tanh, offset(saved, plan.before + read * state),
                offset(saved, plan.moments + 2 * read * lanes),
                pointer(tensors.norm_weight, frame.inverse), frame.inverse, offset(block, layout.gains),
                offset(block, layout.gains + state), dy, size,
            )  # fmt: skip
        else:
            activate_backward(dh, after, plan.use_tanh, zeros, dy, size)
        if plan.steps > 1:
            add(dy, dz, state)
        read_backward(frame, t, s, dy, query, dh)
    query = query_of(frame, t, 0)
    if plan.flat:
        copy(dh, offset(work, layout.flat_gradient), state)
        copy(total, dz, state)
    elif plan.preliminary and t == 0 and not plan.has_memory:  # h_0 was not read; it may be NaN
        copy(total, dz, state)
    elif plan.preliminary:
        normalise_backward(
            dh, query, plan.use_tanh, offset(saved, plan.preliminary_before + t * state),
            offset(saved, plan.preliminary_moments + 2 * t * lanes),
            pointer(tensors.preliminary_norm_weight, frame.inverse), frame.inverse,
            offset(block, layout.gains + 2 * state), offset(block, layout.gains + 3 * state), dh,
            size,
        )  # fmt: skip
        add(total, dh, state)
        copy(dh, dz, state)
    else:
        activate_backward(dh, query, plan.use_tanh, total, dz, size)
    out = offset(rows_of(frame, tensors.drive_gradient, time * size), t * size)
    count = count_of(frame)
    from_lines(dz, out, time * size, count, offset(work, lanes), size)


@helper
def _hidden_gradient(frame: Frame) -> None:
    """∂h(0) = Wᵀ dz(1), and in the flat form the gradient from its read."""
    plan, layout, work = frame.plan, frame.layout, frame.work
    size, lanes = plan.hidden, plan.lanes
    state = size * lanes
    dh = offset(work, layout.dh)
    clear(dh, state)
    matvec(offset(work, layout.packed), offset(frame.block, layout.dz), dh, size)
    if plan.flat:
        add(offset(work, layout.flat_gradient), dh, state)
    out = rows_of(frame, frame.tensors.hidden_gradient, size)
    count = count_of(frame)
    from_lines(dh, out, size, count, offset(work, lanes), size)


@kernel
def backward(
    plan_at: int, layout_at: int, addresses_at: int, workers: int, decay: Real, rate: Real,
    inverse: Real,
) -> None:  # fmt: skip
    """Run the backward on one thread."""
    _run_blocks(plan_at, layout_at, addresses_at, 0, workers, decay, rate, inverse)
    reduce(plan_at, layout_at, addresses_at, 0, workers, inverse)


@kernel(parallel=True)
def backward_parallel(
    plan_at: int, layout_at: int, addresses_at: int, workers: int, decay: Real, rate: Real,
    inverse: Real,
) -> None:  # fmt: skip
    """Run the backward on `workers` threads."""
    mode = arithmetic_mode()
    for worker in numba.prange(workers):
        use_mode(mode)
        _run_blocks(plan_at, layout_at, addresses_at, worker, workers, decay, rate, inverse)
    for worker in numba.prange(workers):
        use_mode(mode)
        reduce(plan_at, layout_at, addresses_at, worker, workers, inverse)
