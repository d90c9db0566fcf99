"""The fused forward pass: one row block of the batch at a time, step by step.

    z(t) = x(t) + W h(t-1)        h_0 = f(z)        h_s+1 = f(LN[z + A(t-1) h_s])        h(t) = h_S

with A(t-1) = λ^(t-1) A(0) + λ^n Aᶜ + η Σ λ^(t-1-τ) h(τ) h(τ)ᵀ: the initial memory, the memory at the start of the
chunk (symmetric), and the n states of the chunk so far, never multiplied out.
"""

from __future__ import annotations

from typing import Any

import numba

from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.simd import load, offset, pointer, splat, store
from fastweights.ops.fast_weight_rnn.cpu_contract import (
    add_outer_products,
    dense,
    mix,
    pack,
    score,
    symmetric,
)
from fastweights.ops.fast_weight_rnn.cpu_layout import from_lines, row_start, to_lines
from fastweights.ops.fast_weight_rnn.cpu_norm import activate, add_lines, clear, normalise, power
from fastweights.ops.fast_weight_rnn.cpu_plan import Plan


@helper
def _read(
    plan: Plan,
    saved: Any,
    scratch: Any,
    t: int,
    s: int,
    query: Any,
    z: Any,
    y: Any,
    decay: Any,
    rate: Any,
) -> None:
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
    if chunk > 0:
        border = offset(saved, plan.borders + (chunk - 1) * plan.border_stride)
        symmetric(border, query, splat(power(decay, n)), y, plan.hidden)
    if plan.has_memory:
        product = offset(scratch, plan.chunk * lanes)
        score(offset(saved, plan.initial), state, plan.hidden, query, product, plan.hidden)
        add_lines(y, product, splat(power(decay, t)), plan.hidden)


@helper
def _close_chunk(plan: Plan, saved: Any, chunk: int, decay: Any, rate: Any) -> None:
    """The symmetric part of A at the end of a chunk: λ^C Aᶜ + η Σ λ^(C-n) h hᵀ."""
    state = plan.hidden * plan.lanes
    last = offset(saved, plan.history + (chunk + 1) * plan.chunk * state)
    border = offset(saved, plan.borders + chunk * plan.border_stride)
    keep = decay - decay
    if chunk > 0:
        keep = power(decay, plan.chunk)
        old = offset(border, -plan.border_stride)
        for k in range(0, plan.border_stride, plan.lanes):
            store(border, k, load(old, k))
    add_outer_products(
        border, True, last, -state, last, -state, plan.chunk, rate, decay, keep, plan.hidden
    )


@helper
def forward_block(
    plan: Plan,
    addresses: Any,
    block: int,
    worker: int,
    strides: Any,
    decay: Any,
    rate: Any,
    eps: Any,
    inverse: Any,
) -> None:
    """Run the whole sequence of one row block."""
    drive, _, weight, bias, first_weight, first_bias, initial, memory, outputs, saved, scratch = (
        addresses
    )
    size, lanes, time = plan.hidden, plan.lanes, plan.time
    state = size * lanes
    count = min(lanes, plan.batch - block * lanes)
    drive = row_start(drive, block, time * size)
    outputs = row_start(outputs, block, time * size)
    saved = offset(saved, block * plan.saved_stride)
    packed = scratch
    spare = offset(scratch, strides[0] + worker * strides[1])
    dump = offset(spare, lanes)
    z = offset(dump, lanes)
    y = offset(z, state)
    work = offset(y, state)
    clear(spare, 1)
    if plan.has_hidden:
        to_lines(
            row_start(initial, block, size), size, count, spare, offset(saved, plan.history), size
        )
    else:
        clear(offset(saved, plan.history), size)
    if plan.has_memory:
        whole = size * size
        to_lines(
            row_start(memory, block, whole), whole, count, spare, offset(saved, plan.initial), whole
        )
    for t in range(time):
        if t > 0 and t % plan.chunk == 0:
            _close_chunk(plan, saved, t // plan.chunk - 1, decay, rate)
        previous = offset(saved, plan.history + t * state)
        to_lines(offset(drive, t * size), time * size, count, spare, z, size)
        if t > 0 or plan.has_hidden:
            dense(packed, previous, z, size)
        query = previous
        if not plan.flat:
            query = offset(saved, plan.queries + t * plan.steps * state)
            if plan.preliminary:
                standard = offset(saved, plan.preliminary_standard + t * state)
                scale = offset(saved, plan.preliminary_scale + t * lanes)
                normalise(
                    z, first_weight, first_bias, eps, inverse, plan.use_tanh != 0, standard, scale,
                    query, size,
                )  # fmt: skip
            else:
                activate(z, query, plan.use_tanh != 0, size)
        for s in range(plan.steps):
            _read(plan, saved, work, t, s, query, z, y, decay, rate)
            query = offset(query, state)
            if s == plan.steps - 1:
                query = offset(previous, state)
            if plan.norm:
                standard = offset(saved, plan.standard + (t * plan.steps + s) * state)
                scale = offset(saved, plan.scale + (t * plan.steps + s) * lanes)
                normalise(
                    y, weight, bias, eps, inverse, plan.use_tanh != 0, standard, scale, query, size
                )
            else:
                activate(y, query, plan.use_tanh != 0, size)
        from_lines(
            offset(previous, state), offset(outputs, t * size), time * size, count, dump, size
        )


@helper
def typed(addresses: Any, like: Any) -> Any:
    """Turn the eleven addresses of the forward into pointers."""
    return (
        pointer(addresses[0], like), pointer(addresses[1], like), pointer(addresses[2], like),
        pointer(addresses[3], like), pointer(addresses[4], like), pointer(addresses[5], like),
        pointer(addresses[6], like), pointer(addresses[7], like), pointer(addresses[8], like),
        pointer(addresses[9], like), pointer(addresses[10], like),
    )  # fmt: skip


@kernel
def forward(
    values: Any,
    addresses: Any,
    workers: int,
    strides: Any,
    decay: Any,
    rate: Any,
    eps: Any,
    inverse: Any,
) -> None:
    """Run the forward on this thread."""
    plan = Plan(*values)
    tensors = typed(addresses, eps)
    pack(tensors[1], tensors[10], plan.hidden, False)
    for block in range(plan.blocks):
        forward_block(plan, tensors, block, 0, strides, decay, rate, eps, inverse)


@kernel(parallel=True)
def forward_parallel(
    values: Any,
    addresses: Any,
    workers: int,
    strides: Any,
    decay: Any,
    rate: Any,
    eps: Any,
    inverse: Any,
) -> None:
    """Run the forward on `workers` threads, each taking every workers-th row block."""
    plan = Plan(*values)
    tensors = typed(addresses, eps)
    pack(tensors[1], tensors[10], plan.hidden, False)
    for worker in numba.prange(workers):
        for block in range(worker, plan.blocks, workers):
            forward_block(plan, tensors, block, worker, strides, decay, rate, eps, inverse)
