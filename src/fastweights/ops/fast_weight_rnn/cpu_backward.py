"""The fused backward pass, by hand: one row block at a time, from the last step to the first.

With c(t, τ) = η λ^(t-1-τ), q = ⟨h(τ), h_s⟩ (kept by the forward) and p = ⟨h(τ), dy⟩, a read y = z + A(t-1) h_s gives

    dh_s = A(t-1) dy = Σ c p h(τ) + …      dh(τ) += c (q dy + p h_s)      dc = q p

A step takes what later steps of its chunk owe it just before it is needed; the debt of later chunks comes through
G = ∂/∂A + (∂/∂A)ᵀ at the chunk's end, as η λ^(C-n) G h(τ).
"""

from __future__ import annotations

from typing import Any

import numba

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.simd import (
    lane_count,
    load,
    offset,
    one,
    pointer,
    put,
    scalar,
    splat,
    store,
    total,
)
from fastweights.ops.fast_weight_rnn.cpu_contract import (
    PULL_ROWS,
    TILE,
    add_outer_products,
    add_small_weight_gradient,
    add_weight_gradient,
    dense,
    mix,
    pack,
    pull,
    score,
    strips,
    symmetric,
    triangle_dot,
)
from fastweights.ops.fast_weight_rnn.cpu_layout import (
    from_lines,
    read_addresses,
    read_layout,
    read_plan,
    row_start,
    to_lines,
)
from fastweights.ops.fast_weight_rnn.cpu_norm import (
    activate_backward,
    add_lines,
    clear,
    dot_lines,
    normalise_backward,
    power,
)
from fastweights.ops.fast_weight_rnn.cpu_plan import PULL


@helper
def _add(lines: Any, index: int, x: Any, weight: Any) -> None:
    """lines[index] += weight x."""
    place = index * lane_count(lines)
    store(lines, place, load(lines, place) + x * splat(weight))


@helper
def _debt_of_later_chunks(
    plan: Any, layout: Any, saved: Any, block: Any, work: Any, chunk: int,
    decay: Any, rate: Any,
) -> None:  # fmt: skip
    """What the states of a chunk owe through the memory at its end: η λ^(C-n) G h; and ∂λ, ∂η of that memory."""
    size, lanes = plan.hidden, plan.lanes
    state = size * lanes
    symmetric_gradient = offset(work, layout.symmetric)
    scalars = offset(block, layout.scalars)
    half = scalar(decay, 1) / scalar(decay, 2)
    weight, slope = scalar(decay, 1), scalar(decay, 0)
    for n in range(plan.chunk - 1, -1, -1):
        h = offset(saved, plan.history + (chunk * plan.chunk + 1 + n) * state)
        debt = offset(work, layout.debts + n * state)
        clear(debt, size)
        symmetric(symmetric_gradient, h, debt, size)
        if layout.wants_scalars:
            product = dot_lines(debt, h, size)
            _add(scalars, 0, product, half * rate * slope)
            _add(scalars, 1, product, half * weight)
        for k in range(0, state, lanes):
            store(debt, k, load(debt, k) * splat(rate * weight))
        slope = slope * decay + weight
        weight *= decay
    if layout.wants_scalars and chunk > 0:
        border = offset(saved, plan.borders + (chunk - 1) * plan.border_stride)
        product = triangle_dot(symmetric_gradient, border, size)
        _add(scalars, 0, product, half * scalar(decay, plan.chunk) * power(decay, plan.chunk - 1))


@helper
def _read_backward(
    plan: Any, layout: Any, saved: Any, block: Any, work: Any, t: int, s: int, dy: Any,
    query: Any, dh: Any, decay: Any, rate: Any,
) -> None:  # fmt: skip
    """dh = A(t-1) dy; keeps the coefficients of what this read owes earlier states."""
    size, lanes = plan.hidden, plan.lanes
    state = size * lanes
    chunk, n = divmod(t, plan.chunk)
    scalars = offset(block, layout.scalars)
    history = offset(saved, plan.history + (chunk * plan.chunk + 1) * state)
    scores = offset(
        saved,
        plan.scores
        + chunk * plan.scores_stride
        + (plan.steps * (n * (n - 1) // 2) + s * n) * lanes,
    )
    products = offset(work, layout.products)
    score(history, state, n, dy, products, size)
    reads = plan.chunk * plan.steps
    by_gradient = offset(work, layout.by_gradient + (n * plan.steps + s) * lanes)
    by_query = offset(work, layout.by_query + (n * plan.steps + s) * lanes)
    weight = scalar(decay, 1)
    slope = scalar(decay, 0)
    for k in range(n - 1, -1, -1):
        p = load(products, k * lanes)
        q = load(scores, k * lanes)
        if layout.wants_scalars:
            _add(scalars, 0, p * q, rate * slope)
            _add(scalars, 1, p * q, weight)
            slope = slope * decay + weight
        c = splat(rate * weight)
        store(products, k * lanes, p * c)
        store(by_query, k * reads * lanes, p * c)
        store(by_gradient, k * reads * lanes, q * c)
        weight *= decay
    clear(dh, size)
    mix(history, state, n, products, dh, dh, size)
    if chunk > 0:
        border = offset(saved, plan.borders + (chunk - 1) * plan.border_stride)
        _border_backward(plan, layout, scalars, border, 1, n, dy, query, work, dh, decay)
    if plan.has_memory:
        border = offset(saved, plan.initial)
        _border_backward(plan, layout, scalars, border, 0, t, dy, query, work, dh, decay)


@helper
def _border_backward(
    plan: Any, layout: Any, scalars: Any, memory: Any, triangle: int, age: int, dy: Any,
    query: Any, work: Any, dh: Any, decay: Any,
) -> None:  # fmt: skip
    """dh += λ^age Mᵀ dy for a memory M; ∂λ too."""
    product = offset(work, layout.product)
    clear(product, plan.hidden)
    if triangle:
        symmetric(memory, dy, product, plan.hidden)
    else:
        state = plan.hidden * plan.lanes
        mix(memory, state, plan.hidden, dy, product, product, plan.hidden)
    add_lines(dh, product, splat(power(decay, age)), plan.hidden)
    if layout.wants_scalars and age > 0:
        dot = dot_lines(product, query, plan.hidden)
        _add(scalars, 0, dot, scalar(decay, age) * power(decay, age - 1))


@helper
def _open_chunk(
    plan: Any, layout: Any, saved: Any, work: Any, chunk: int, length: int, last: bool,
    decay: Any,
) -> None:  # fmt: skip
    """G at the start of a chunk: λ^C G + Σ λ^n (dy h_sᵀ + h_s dyᵀ)."""
    size = plan.hidden
    state = size * plan.lanes
    gradient = offset(work, layout.symmetric)
    panel = offset(work, layout.panel)
    keep = scalar(decay, 0) if last else power(decay, plan.chunk)
    for s in range(plan.steps):
        dy = _kept(plan, layout, work, chunk * plan.chunk, s)
        query = _query(plan, saved, chunk * plan.chunk, s)
        step = plan.steps * state
        unit = scalar(decay, 1)
        add_outer_products(
            gradient, gradient, 1, dy, step, query, step, length, unit, decay, keep, size, panel
        )
        add_outer_products(
            gradient, gradient, 1, query, step, dy, step, length, unit, decay, unit, size, panel
        )
        keep = unit


@helper
def _query(plan: Any, saved: Any, t: int, s: int) -> Any:
    """Where h_s(t) lies: the argument of read s of step t."""
    state = plan.hidden * plan.lanes
    if plan.flat:
        return offset(saved, plan.history + t * state)
    return offset(saved, plan.queries + (t * plan.steps + s) * state)


@helper
def _kept(plan: Any, layout: Any, work: Any, t: int, s: int) -> Any:
    """Where dy of read s of step t is kept: for the chunk, or for the sequence if ∂A(0) needs it."""
    step = t if plan.has_memory else t % plan.chunk
    return offset(work, layout.kept + (step * plan.steps + s) * plan.hidden * plan.lanes)


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
    for number in range(worker, plan.blocks, workers):
        block = offset(scratch, number * layout.block_stride)
        saved = offset(pointer(tensors.saved, inverse), number * plan.saved_stride)
        clear(offset(block, layout.gains), layout.gain_lines)
        for t in range(plan.time - 1, -1, -1):
            chunk = t // plan.chunk
            length = min(plan.chunk, plan.time - chunk * plan.chunk)
            last = chunk == plan.chunks - 1
            if t % plan.chunk == length - 1 and not last:
                _debt_of_later_chunks(plan, layout, saved, block, work, chunk, decay, rate)
            _gather(plan, layout, tensors, saved, block, work, number, t, length, inverse)
            _step(plan, layout, tensors, saved, block, work, number, t, decay, rate, inverse)
            if t % plan.chunk == 0 and chunk > 0:
                _open_chunk(plan, layout, saved, work, chunk, length, last, decay)
        if plan.has_hidden:
            _hidden_gradient(plan, layout, tensors, block, work, number, inverse)
        if plan.has_memory:
            _memory_gradient(plan, layout, tensors, saved, work, number, decay)


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
    dense(offset(work, layout.packed), offset(block, layout.dz + (t + 1) * state), dh, size)
    if plan.flat:
        add_lines(dh, offset(work, layout.owed), one(dh), size)
    _pull(plan, layout, saved, work, dh, t, length)
    if t // plan.chunk < plan.chunks - 1:
        add_lines(dh, offset(work, layout.debts + n * state), one(dh), size)


@helper
def _pull(
    plan: Any, layout: Any, saved: Any, work: Any, dh: Any, t: int, length: int
) -> None:  # fmt: skip
    """dh(t) += Σ over later reads of the chunk, c (q dy + p h_s).

    The reads after a group of PULL states are taken for the whole group at once, when its last state is due.
    """
    size, lanes, steps = plan.hidden, plan.lanes, plan.steps
    state = size * lanes
    n = t % plan.chunk
    start = t - n
    width = plan.chunk * steps * lanes  # from one state's coefficients to the next's
    first = n - n % PULL
    end = min(first + PULL, length)
    grouped = size >= PULL_ROWS
    pulled = offset(work, layout.pulled)
    if not grouped:
        end = length
    elif end < length:
        if n == end - 1:
            row = first * width + end * steps * lanes
            pull(
                _kept(plan, layout, work, start + end, 0), _query(plan, saved, start + end, 0),
                state, (length - end) * steps, offset(work, layout.by_gradient + row),
                offset(work, layout.by_query + row), width, pulled, size,
            )  # fmt: skip
        add_lines(dh, offset(pulled, (n - first) * state), one(dh), size)
    if n + 1 < end:
        row = n * width + (n + 1) * steps * lanes
        reads = (end - n - 1) * steps
        by_gradient = offset(work, layout.by_gradient + row)
        by_query = offset(work, layout.by_query + row)
        mix(_kept(plan, layout, work, t + 1, 0), state, reads, by_gradient, dh, dh, size)
        mix(_query(plan, saved, t + 1, 0), state, reads, by_query, dh, dh, size)


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
    clear(dz, size)
    for s in range(plan.steps - 1, -1, -1):
        dy = _kept(plan, layout, work, t, s)
        query = _query(plan, saved, t, s)
        after = offset(query, state)
        if s == plan.steps - 1:
            after = offset(saved, plan.history + (t + 1) * state)
        activate_backward(dh, after, plan.use_tanh, dy, size)
        if plan.norm:
            read = t * plan.steps + s
            normalise_backward(
                dy, pointer(tensors.norm_weight, inverse), inverse,
                offset(saved, plan.standard + read * state),
                offset(saved, plan.scale + read * lanes), offset(block, layout.gains),
                offset(block, layout.gains + state), size,
            )  # fmt: skip
        add_lines(dz, dy, one(dh), size)
        _read_backward(plan, layout, saved, block, work, t, s, dy, query, dh, decay, rate)
    if plan.flat:
        owed = offset(work, layout.owed)
        clear(owed, size)
        add_lines(owed, dh, one(dh), size)
    else:
        activate_backward(dh, _query(plan, saved, t, 0), plan.use_tanh, dh, size)
        if plan.preliminary:
            normalise_backward(
                dh, pointer(tensors.preliminary_norm_weight, inverse), inverse,
                offset(saved, plan.preliminary_standard + t * state),
                offset(saved, plan.preliminary_scale + t * lanes),
                offset(block, layout.gains + 2 * state),
                offset(block, layout.gains + 3 * state), size,
            )  # fmt: skip
        add_lines(dz, dh, one(dh), size)
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


@helper
def _memory_gradient(
    plan: Any, layout: Any, tensors: Any, saved: Any, work: Any, number: int, decay: Any
) -> None:
    """∂A(0) = Σ λ^t dy h_sᵀ."""
    size, lanes = plan.hidden, plan.lanes
    step = plan.steps * size * lanes
    whole = offset(work, layout.whole)
    panel = offset(work, layout.panel)
    keep = scalar(decay, 0)
    unit = scalar(decay, 1)
    for s in range(plan.steps):
        dy = _kept(plan, layout, work, 0, s)
        query = _query(plan, saved, 0, s)
        add_outer_products(
            whole, whole, 0, dy, step, query, step, plan.time, unit, decay, keep, size, panel
        )
        keep = unit
    area = size * size
    out = row_start(pointer(tensors.memory_gradient, decay), number, area)
    count = min(lanes, plan.batch - number * lanes)
    from_lines(whole, out, area, count, offset(work, lanes), area)


@helper
def _weight_gradient(
    plan: Any, layout: Any, tensors: Any, worker: int, workers: int, like: Any
) -> None:
    """Every workers-th strip of ∂W, by segments of the batch and of time that stay in the cache for all strips."""
    size, time = plan.hidden, plan.time
    first = 1 - plan.has_hidden  # h(0) is zero
    work = offset(pointer(tensors.scratch, like), layout.workers + worker * layout.worker_stride)
    totals, panel = work, offset(work, layout.strip)
    dz = offset(pointer(tensors.scratch, like), layout.dz)
    history = offset(pointer(tensors.saved, like), plan.history)
    out = pointer(tensors.weight_gradient, like)
    for strip in range(worker, strips(size), workers):
        for k in range(strip * TILE * size, min((strip + 1) * TILE, size) * size):
            put(out, k, scalar(like, 0))
    groups = max(1, layout.segment // time)
    for start in range(0, plan.blocks, groups):
        x = offset(dz, start * layout.block_stride)
        y = offset(history, start * plan.saved_stride)
        count = min(groups, plan.blocks - start)
        for begin in range(first, time, layout.segment):
            end = min(begin + layout.segment, time)
            for strip in range(worker, strips(size), workers):
                if size >= TILE:
                    add_weight_gradient(
                        x, y, begin, end, count, layout.block_stride, plan.saved_stride, out, size, strip,
                        totals, panel,
                    )  # fmt: skip
                else:
                    add_small_weight_gradient(
                        x, y, begin, end, count, layout.block_stride, plan.saved_stride, out, size
                    )


@kernel
def reduce(
    plan_address: int, layout_address: int, address_address: int, worker: int, workers: int,
    like: Any,
) -> None:  # fmt: skip
    """The gradients that all row blocks share, in an order that does not depend on the workers.

    ∂W = Σ dz(t) h(t-1)ᵀ, some rows for each worker; the first adds up those of gains, biases, λ and η too.
    """
    plan = read_plan(plan_address)
    layout = read_layout(layout_address)
    tensors = read_addresses(address_address)
    scratch = pointer(tensors.scratch, like)
    _weight_gradient(plan, layout, tensors, worker, workers, like)
    if worker > 0:
        return
    gains = offset(scratch, layout.gains)
    state = plan.hidden * plan.lanes
    _sum_lines(plan, layout, gains, tensors.gain_gradient, plan.hidden, like)
    _sum_lines(plan, layout, offset(gains, state), tensors.bias_gradient, plan.hidden, like)
    first = offset(gains, 2 * state)
    _sum_lines(plan, layout, first, tensors.first_gain_gradient, plan.hidden, like)
    first = offset(gains, 3 * state)
    _sum_lines(plan, layout, first, tensors.first_bias_gradient, plan.hidden, like)
    count = 2 * layout.wants_scalars
    _sum_lines(plan, layout, offset(scratch, layout.scalars), tensors.scalar_gradient, count, like)


@helper
def _sum_lines(plan: Any, layout: Any, lines: Any, out: int, count: int, like: Any) -> None:
    """out[k] = line k, summed over row blocks in order, then over lanes; nothing where `out` is 0."""
    if out != 0:
        for k in range(count):
            line = zeros(lines, 1)[0]
            for block in range(plan.blocks):
                line = line + load(lines, block * layout.block_stride + k * plan.lanes)
            put(pointer(out, like), k, total(line))


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
