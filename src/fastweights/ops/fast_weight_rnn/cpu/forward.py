"""The fused forward pass: one row block of the batch at a time, step by step.

    z(t) = x(t) + W h(t-1)        h_0 = f(z)        h_s+1 = f(LN[z + A(t-1) h_s])        h(t) = h_S

with A(t-1) = λ^(t-1) A(0) + λ^n Aᶜ + η Σ λ^(t-1-τ) h(τ) h(τ)ᵀ: the initial memory, the memory at the start of the
chunk (symmetric), and the n states of the chunk so far, never multiplied out.
"""

from __future__ import annotations

import numba

from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.lines import add_scaled, clear
from fastweights.kernels.mode import arithmetic_mode, use_mode
from fastweights.kernels.simd import load, offset, pointer, scalar, splat, store
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.fast_weight_rnn.cpu.contract import matvec_with_prefetch, mix, pack, score
from fastweights.ops.fast_weight_rnn.cpu.layout import (
    from_lines,
    read_addresses,
    read_plan,
    row_start,
    to_lines,
)
from fastweights.ops.fast_weight_rnn.cpu.matrix import add_outer_products, symmetric
from fastweights.ops.fast_weight_rnn.cpu.norm import activate, normalise, power


@helper
def _read(
    plan: Record, saved: Pointer, scratch: Pointer, t: int, s: int, query: Pointer, z: Pointer,
    y: Pointer, decay: Real, rate: Real,
) -> None:  # fmt: skip
    """y = z + A(t-1) query; keeps the scores."""
    lanes = plan.lanes
    state = plan.hidden * lanes
    chunk, n = divmod(t, plan.chunk)
    history = offset(saved, plan.history + (chunk * plan.chunk + 1) * state)
    scores = offset(
        saved,
        plan.scores
        + chunk * plan.scores_stride
        + (plan.steps * (n * (n - 1) // 2) + s * n) * lanes,
    )
    score(history, state, n, query, scores, plan.hidden)
    weight = rate
    for k in range(n - 1, -1, -1):
        store(scratch, k * lanes, load(scores, k * lanes) * splat(weight))
        weight *= decay
    mix(history, state, n, scratch, z, y, plan.hidden)
    product = offset(scratch, plan.chunk * lanes)
    if chunk > 0:
        border = offset(saved, plan.borders + (chunk - 1) * plan.border_stride)
        clear(product, state)
        symmetric(border, query, product, plan.hidden)
        add_scaled(product, power(decay, n), y, state)
    if plan.has_memory:
        score(offset(saved, plan.initial), state, plan.hidden, query, product, plan.hidden)
        add_scaled(product, power(decay, t), y, state)


@helper
def _close_chunk(
    plan: Record, saved: Pointer, chunk: int, decay: Real, rate: Real, panel: Pointer
) -> None:  # fmt: skip
    """The symmetric part of A at the end of a chunk: λ^C Aᶜ + η Σ λ^(C-n) h hᵀ."""
    state = plan.hidden * plan.lanes
    last = offset(saved, plan.history + (chunk + 1) * plan.chunk * state)
    border = offset(saved, plan.borders + chunk * plan.border_stride)
    old = offset(border, -plan.border_stride)
    keep = power(decay, plan.chunk) if chunk > 0 else scalar(decay, 0)
    add_outer_products(
        border,
        old,
        1,
        last,
        -state,
        last,
        -state,
        plan.chunk,
        rate,
        decay,
        keep,
        plan.hidden,
        panel,
    )


@helper
def _run_blocks(
    plan_at: int, addresses_at: int, worker: int, workers: int, decay: Real, rate: Real, eps: Real,
    inverse: Real,
) -> None:  # fmt: skip
    """Run every workers-th row block, from block `worker` on; `inverse` is 1 / H."""
    plan = read_plan(plan_at)
    tensors = read_addresses(addresses_at)
    size, lanes, time = plan.hidden, plan.lanes, plan.time
    state = size * lanes
    weight, bias = pointer(tensors.norm_weight, eps), pointer(tensors.norm_bias, eps)
    scratch = offset(pointer(tensors.scratch, eps), worker * plan.forward_stride)
    spare, dump = scratch, offset(scratch, lanes)
    z = offset(scratch, 2 * lanes)
    y = offset(z, state)
    work = offset(y, state)
    packed = offset(work, state + plan.chunk * lanes)
    panel = offset(scratch, plan.forward_panel)
    pack(pointer(tensors.recurrent_weight, eps), packed, size, 0)
    clear(spare, lanes)
    for block in range(worker, plan.blocks, workers):
        count = min(lanes, plan.batch - block * lanes)
        drive = row_start(pointer(tensors.drive, eps), block, time * size)
        outputs = row_start(pointer(tensors.outputs, eps), block, time * size)
        saved = offset(pointer(tensors.saved, eps), block * plan.saved_stride)
        history = offset(saved, plan.history)
        if plan.has_hidden:
            hidden = row_start(pointer(tensors.hidden, eps), block, size)
            to_lines(hidden, size, count, spare, history, size)
        else:
            clear(history, state)
        if plan.has_memory:
            area = size * size
            memory = row_start(pointer(tensors.memory, eps), block, area)
            to_lines(memory, area, count, spare, offset(saved, plan.initial), area)
        for t in range(time):
            if t > 0 and t % plan.chunk == 0:
                _close_chunk(plan, saved, t // plan.chunk - 1, decay, rate, panel)
            previous = offset(history, t * state)
            if plan.preliminary:
                z = offset(saved, plan.preliminary_before + t * state)
            to_lines(offset(drive, t * size), time * size, count, spare, z, size)
            place = t * plan.steps
            query = offset(saved, plan.queries + place * state)
            before = offset(saved, plan.before + place * state)
            new = offset(previous, state)
            if t > 0 or plan.has_hidden:
                matvec_with_prefetch(
                    packed, previous, z, size, query, before, new,
                    offset(drive, (t + 1) * size), offset(outputs, t * size), time * size, count,
                )  # fmt: skip
            if plan.flat:
                query = previous
            elif plan.preliminary:
                first_weight = pointer(tensors.preliminary_norm_weight, eps)
                first_bias = pointer(tensors.preliminary_norm_bias, eps)
                normalise(
                    z, first_weight, first_bias, eps, inverse, plan.use_tanh,
                    offset(saved, plan.preliminary_moments + 2 * t * lanes), query, size,
                )  # fmt: skip
            else:
                activate(z, query, plan.use_tanh, size)
            for s in range(plan.steps):
                if plan.norm:
                    y = offset(before, s * state)
                _read(plan, saved, work, t, s, query, z, y, decay, rate)
                query = offset(query, state)
                if s == plan.steps - 1:
                    query = new
                if plan.norm:
                    normalise(
                        y, weight, bias, eps, inverse, plan.use_tanh,
                        offset(saved, plan.moments + 2 * (place + s) * lanes), query, size,
                    )  # fmt: skip
                else:
                    activate(y, query, plan.use_tanh, size)
            from_lines(new, offset(outputs, t * size), time * size, count, dump, size)


@kernel
def forward(
    plan_at: int, addresses_at: int, workers: int, decay: Real, rate: Real, eps: Real, inverse: Real
) -> None:  # fmt: skip
    """Run the forward on one thread."""
    _run_blocks(plan_at, addresses_at, 0, workers, decay, rate, eps, inverse)


@kernel(parallel=True)
def forward_parallel(
    plan_at: int, addresses_at: int, workers: int, decay: Real, rate: Real, eps: Real, inverse: Real
) -> None:  # fmt: skip
    """Run the forward on `workers` threads."""
    mode = arithmetic_mode()
    for worker in numba.prange(workers):
        use_mode(mode)
        _run_blocks(plan_at, addresses_at, worker, workers, decay, rate, eps, inverse)
