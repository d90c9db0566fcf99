"""The fused backward pass, by hand: one row block at a time, from the last step to the first.

A step takes what later steps of its chunk owe it just before it is needed; `cpu_backward_memory` has the equations.
"""

from __future__ import annotations

from typing import Any

import numba

from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.simd import offset, one, pointer
from fastweights.ops.fast_weight_rnn.cpu.ahead import dense_ahead
from fastweights.ops.fast_weight_rnn.cpu.backward_memory import (
    debt_of_later_chunks,
    kept,
    memory_gradient,
    open_chunk,
    pull_later_reads,
    query_of,
    read_backward,
)
from fastweights.ops.fast_weight_rnn.cpu.contract import dense, pack
from fastweights.ops.fast_weight_rnn.cpu.layout import (
    from_lines,
    read_addresses,
    read_layout,
    read_plan,
    row_start,
    to_lines,
)
from fastweights.ops.fast_weight_rnn.cpu.norm import (
    activate_backward,
    add_lines,
    clear,
    copy_lines,
    normalise_backward,
)
from fastweights.ops.fast_weight_rnn.cpu.reduce import reduce


@kernel
def backward(
    plan_address: int, layout_address: int, address_address: int, worker: int, workers: int,
    decay: Any, rate: Any, inverse: Any,
) -> None:  # fmt: skip
    """Run every workers-th row block, from block `worker` on; `inverse` is 1 / H and sets the type with the others."""
    plan = read_plan(plan_address)
    layout = read_layout(layout_address)
    tensors = read_addresses(address_address)
    scratch = pointer(tensors.scratch, inverse)
    work = offset(scratch, layout.workers + worker * layout.worker_stride)
    packed = offset(work, layout.packed)
    pack(pointer(tensors.recurrent_weight, inverse), packed, plan.hidden, 1)
    clear(work, 1)
    clear(offset(work, layout.nothing), plan.hidden)
    for number in range(worker, plan.blocks, workers):
        block = offset(scratch, number * layout.block_stride)
        saved = offset(pointer(tensors.saved, inverse), number * plan.saved_stride)
        clear(offset(block, layout.gains), layout.gain_lines)
        for t in range(plan.time - 1, -1, -1):
            chunk = t // plan.chunk
            length = min(plan.chunk, plan.time - chunk * plan.chunk)
            last = chunk == plan.chunks - 1
            if t % plan.chunk == length - 1 and not last:
                debt_of_later_chunks(plan, layout, saved, block, work, chunk, decay, rate)
            _gather(plan, layout, tensors, saved, block, work, number, t, length, inverse)
            _step(plan, layout, tensors, saved, block, work, number, t, decay, rate, inverse)
            if t % plan.chunk == 0 and chunk > 0:
                open_chunk(plan, layout, saved, work, chunk, length, last, decay)
        if plan.has_hidden:
            _hidden_gradient(plan, layout, tensors, block, work, number, inverse)
        if plan.has_memory:
            memory_gradient(plan, layout, tensors, saved, work, number, decay)


@helper
def _gather(
    plan: Any, layout: Any, tensors: Any, saved: Any, block: Any, work: Any, number: int, t: int,
    length: int, like: Any,
) -> None:  # fmt: skip
    """dh(t): the gradient from outside, and what the later steps owe."""
    size, lanes, time = plan.hidden, plan.lanes, plan.time
    state = size * lanes
    n = t % plan.chunk
    dh = offset(work, layout.dh)
    gradient = offset(row_start(pointer(tensors.gradient, like), number, time * size), t * size)
    count = min(lanes, plan.batch - number * lanes)
    to_lines(gradient, time * size, count, work, dh, size)
    if t == time - 1:
        return
    later = offset(block, layout.dz + (t + 1) * state)
    out = offset(row_start(pointer(tensors.drive_gradient, like), number, time * size), t * size)
    dense_ahead(
        offset(work, layout.packed), later, dh, size, query_of(plan, saved, t, 0),
        offset(saved, plan.before + t * plan.steps * state), offset(later, -state),
        offset(gradient, -size), out, time * size, count,
    )  # fmt: skip
    if plan.flat:
        add_lines(dh, offset(work, layout.owed), one(dh), size)
    pull_later_reads(plan, layout, saved, work, dh, t, length)
    if t // plan.chunk < plan.chunks - 1:
        add_lines(dh, offset(work, layout.debts + n * state), one(dh), size)


@helper
def _step(
    plan: Any, layout: Any, tensors: Any, saved: Any, block: Any, work: Any, number: int, t: int,
    decay: Any, rate: Any, inverse: Any,
) -> None:  # fmt: skip
    """From dh(t) through the inner steps to dz(t), which is ∂drive(t)."""
    size, lanes, time = plan.hidden, plan.lanes, plan.time
    state = size * lanes
    dh = offset(work, layout.dh)
    dz = offset(block, layout.dz + t * state)
    nothing = offset(work, layout.nothing)
    total = kept(plan, layout, work, t, 0)
    if plan.steps > 1:
        total = dz
        clear(dz, size)
    for s in range(plan.steps - 1, -1, -1):
        dy = kept(plan, layout, work, t, s)
        query = query_of(plan, saved, t, s)
        after = offset(query, state)
        if s == plan.steps - 1:
            after = offset(saved, plan.history + (t + 1) * state)
        if plan.norm:
            read = t * plan.steps + s
            normalise_backward(
                dh, after, plan.use_tanh, offset(saved, plan.before + read * state),
                offset(saved, plan.moments + 2 * read * lanes),
                pointer(tensors.norm_weight, inverse), inverse, offset(block, layout.gains),
                offset(block, layout.gains + state), dy, size,
            )  # fmt: skip
        else:
            activate_backward(dh, after, plan.use_tanh, nothing, dy, size)
        if plan.steps > 1:
            add_lines(dz, dy, one(dh), size)
        read_backward(plan, layout, saved, block, work, t, s, dy, query, dh, decay, rate)
    query = query_of(plan, saved, t, 0)
    if plan.flat:
        copy_lines(offset(work, layout.owed), dh, size)
        copy_lines(dz, total, size)
    elif plan.preliminary:
        normalise_backward(
            dh, query, plan.use_tanh, offset(saved, plan.preliminary_before + t * state),
            offset(saved, plan.preliminary_moments + 2 * t * lanes),
            pointer(tensors.preliminary_norm_weight, inverse), inverse,
            offset(block, layout.gains + 2 * state), offset(block, layout.gains + 3 * state), dh,
            size,
        )  # fmt: skip
        add_lines(dh, total, one(dh), size)
        copy_lines(dz, dh, size)
    else:
        activate_backward(dh, query, plan.use_tanh, total, dz, size)
    out = offset(row_start(pointer(tensors.drive_gradient, inverse), number, time * size), t * size)
    count = min(lanes, plan.batch - number * lanes)
    from_lines(dz, out, time * size, count, offset(work, lanes), size)


@helper
def _hidden_gradient(
    plan: Any, layout: Any, tensors: Any, block: Any, work: Any, number: int, like: Any
) -> None:
    """∂h(0) = Wᵀ dz(1), and in the flat form what its read owes."""
    size, lanes = plan.hidden, plan.lanes
    dh = offset(work, layout.dh)
    clear(dh, size)
    dense(offset(work, layout.packed), offset(block, layout.dz), dh, size)
    if plan.flat:
        add_lines(dh, offset(work, layout.owed), one(dh), size)
    out = row_start(pointer(tensors.hidden_gradient, like), number, size)
    count = min(lanes, plan.batch - number * lanes)
    from_lines(dh, out, size, count, offset(work, lanes), size)


@kernel(parallel=True)
def backward_parallel(
    plan_address: int, layout_address: int, address_address: int, workers: int, decay: Any,
    rate: Any, inverse: Any,
) -> None:  # fmt: skip
    """Run the backward on `workers` threads."""
    for worker in numba.prange(workers):
        run_backward(
            plan_address, layout_address, address_address, worker, workers, decay, rate, inverse
        )
    for worker in numba.prange(workers):
        run_reduce(plan_address, layout_address, address_address, worker, workers, inverse)


run_backward = backward.dispatcher
run_reduce = reduce.dispatcher
