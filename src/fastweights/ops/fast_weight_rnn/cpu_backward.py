"""The fused backward pass, by hand: one row block at a time, from the last step to the first.

With c(t, τ) = η λ^(t-1-τ), q = ⟨h(τ), h_s⟩ (kept by the forward) and p = ⟨h(τ), dy⟩, a read y = z + A(t-1) h_s gives

    dh_s = A(t-1) dy = Σ c p h(τ) + …      dh(τ) += c (q dy + p h_s)      dc = q p

A step takes what later steps of its chunk owe it just before it is needed; the debt of later chunks comes through
G = ∂/∂A + (∂/∂A)ᵀ at the chunk's end, as η λ^(C-n) G h(τ).
"""

from __future__ import annotations

from typing import Any

import numba

from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.simd import (
    lane_count,
    load,
    offset,
    pointer,
    put,
    scalar,
    splat,
    store,
    total,
    zeros,
)
from fastweights.ops.fast_weight_rnn.cpu_contract import (
    add_outer_products,
    dense,
    mix,
    pack,
    panel_height,
    score,
    strips,
    symmetric,
    weight_gradient_strip,
)
from fastweights.ops.fast_weight_rnn.cpu_layout import from_lines, row_start, to_lines
from fastweights.ops.fast_weight_rnn.cpu_norm import (
    activate_backward,
    add_lines,
    clear,
    dot_lines,
    normalise_backward,
    power,
)
from fastweights.ops.fast_weight_rnn.cpu_plan import BackwardPlan, Plan


@helper
def _add(lines: Any, index: int, x: Any, weight: Any) -> None:
    """lines[index] += weight x."""
    place = index * lane_count(lines)
    store(lines, place, load(lines, place) + x * splat(weight))


@helper
def _debt_of_later_chunks(
    plan: Plan, layout: BackwardPlan, saved: Any, block: Any, work: Any, chunk: int,
    decay: Any, rate: Any,
) -> None:  # fmt: skip
    """What the states of a chunk owe through the memory at its end: η λ^(C-n) G h; and ∂λ, ∂η of that memory."""
    size, lanes = plan.hidden, plan.lanes
    state = size * lanes
    symmetric_gradient = offset(work, layout.symmetric)
    scalars = offset(block, layout.scalars)
    zero = zeros(saved, 1)[0]
    half = scalar(decay, 1) / scalar(decay, 2)
    weight, slope = scalar(decay, 1), scalar(decay, 0)
    for n in range(plan.chunk - 1, -1, -1):
        h = offset(saved, plan.history + (chunk * plan.chunk + 1 + n) * state)
        debt = offset(work, layout.debts + n * state)
        clear(debt, size)
        symmetric(symmetric_gradient, h, splat(scalar(decay, 1)), debt, size)
        if layout.wants_scalars:
            product = dot_lines(debt, h, zero, size)
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
def triangle_dot(x: Any, y: Any, size: int) -> Any:
    """Σ_ij x_ij y_ij of two symmetric matrices kept as panels."""
    lanes = lane_count(x)
    zero = zeros(x, 1)[0]
    inside, outside = zero, zero
    row = place = 0
    while row < size:
        height = panel_height(size - row)
        outside = outside + dot_lines(offset(x, place), offset(y, place), zero, height * row)
        place += height * row * lanes
        inside = inside + dot_lines(offset(x, place), offset(y, place), zero, height * height)
        place += height * height * lanes
        row += height
    return outside + outside + inside


@helper
def _read_backward(
    plan: Plan, layout: BackwardPlan, saved: Any, block: Any, work: Any, t: int, s: int, dy: Any,
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
        _border_backward(plan, layout, scalars, border, True, n, dy, query, work, dh, decay)
    if plan.has_memory:
        border = offset(saved, plan.initial)
        _border_backward(plan, layout, scalars, border, False, t, dy, query, work, dh, decay)


@helper
def _border_backward(
    plan: Plan, layout: BackwardPlan, scalars: Any, memory: Any, triangle: bool, age: int, dy: Any,
    query: Any, work: Any, dh: Any, decay: Any,
) -> None:  # fmt: skip
    """dh += λ^age Mᵀ dy for a memory M; ∂λ too."""
    product = offset(work, layout.product)
    clear(product, plan.hidden)
    if triangle:
        symmetric(memory, dy, splat(scalar(decay, 1)), product, plan.hidden)
    else:
        state = plan.hidden * plan.lanes
        mix(memory, state, plan.hidden, dy, product, product, plan.hidden)
    add_lines(dh, product, splat(power(decay, age)), plan.hidden)
    if layout.wants_scalars and age > 0:
        dot = dot_lines(product, query, zeros(dy, 1)[0], plan.hidden)
        _add(scalars, 0, dot, scalar(decay, age) * power(decay, age - 1))


@helper
def _open_chunk(
    plan: Plan, layout: BackwardPlan, saved: Any, work: Any, chunk: int, length: int, last: bool,
    decay: Any,
) -> None:  # fmt: skip
    """G at the start of a chunk: λ^C G + Σ λ^n (dy h_sᵀ + h_s dyᵀ)."""
    size = plan.hidden
    state = size * plan.lanes
    gradient = offset(work, layout.symmetric)
    keep = scalar(decay, 0) if last else power(decay, plan.chunk)
    for s in range(plan.steps):
        dy = _kept(plan, layout, work, chunk * plan.chunk, s)
        query = _query(plan, saved, chunk * plan.chunk, s)
        step = plan.steps * state
        one = scalar(decay, 1)
        add_outer_products(gradient, True, dy, step, query, step, length, one, decay, keep, size)
        add_outer_products(gradient, True, query, step, dy, step, length, one, decay, one, size)
        keep = one


@helper
def _query(plan: Plan, saved: Any, t: int, s: int) -> Any:
    """Where h_s(t) lies: the argument of read s of step t."""
    state = plan.hidden * plan.lanes
    if plan.flat:
        return offset(saved, plan.history + t * state)
    return offset(saved, plan.queries + (t * plan.steps + s) * state)


@helper
def _kept(plan: Plan, layout: BackwardPlan, work: Any, t: int, s: int) -> Any:
    """Where dy of read s of step t is kept: for the chunk, or for the sequence if ∂A(0) needs it."""
    step = t if plan.has_memory else t % plan.chunk
    return offset(work, layout.kept + (step * plan.steps + s) * plan.hidden * plan.lanes)


@helper
def backward_block(
    plan: Plan, layout: BackwardPlan, tensors: Any, number: int, worker: int, decay: Any,
    rate: Any, inverse: Any,
) -> None:  # fmt: skip
    """Run the whole sequence of one row block."""
    saved, weight, first_weight, gradient, drive_gradient, initial_gradient, memory_gradient = (
        tensors[1:8]
    )
    packed = tensors[8]
    size, lanes, time = plan.hidden, plan.lanes, plan.time
    state = size * lanes
    count = min(lanes, plan.batch - number * lanes)
    use_tanh = plan.use_tanh != 0
    gradient = row_start(gradient, number, time * size)
    drive_gradient = row_start(drive_gradient, number, time * size)
    saved = offset(saved, number * plan.saved_stride)
    block = offset(packed, layout.blocks + number * layout.block_stride)
    work = offset(packed, layout.workers + worker * layout.worker_stride)
    spare = work
    dump = offset(work, lanes)
    dh = offset(work, layout.dh)
    owed = offset(work, layout.owed)
    clear(spare, 1)
    clear(offset(block, layout.gains), layout.gain_lines)
    for t in range(time - 1, -1, -1):
        chunk, n = divmod(t, plan.chunk)
        length = min(plan.chunk, time - chunk * plan.chunk)
        if n == length - 1 and chunk < plan.chunks - 1:
            _debt_of_later_chunks(plan, layout, saved, block, work, chunk, decay, rate)
        to_lines(offset(gradient, t * size), time * size, count, spare, dh, size)
        dz = offset(block, layout.dz + t * state)
        if t < time - 1:
            dense(packed, offset(dz, state), dh, size)
            if plan.flat:
                add_lines(dh, owed, splat(scalar(decay, 1)), size)
            later = (n + 1) * plan.steps
            reads = (length - 1 - n) * plan.steps
            row = (n * plan.chunk * plan.steps + later) * lanes
            by_gradient = offset(work, layout.by_gradient + row)
            by_query = offset(work, layout.by_query + row)
            if reads > 0:
                dy = _kept(plan, layout, work, t + 1, 0)
                mix(dy, state, reads, by_gradient, dh, dh, size)
                mix(_query(plan, saved, t + 1, 0), state, reads, by_query, dh, dh, size)
            if chunk < plan.chunks - 1:
                one = splat(scalar(decay, 1))
                add_lines(dh, offset(work, layout.debts + n * state), one, size)
        clear(dz, size)
        for s in range(plan.steps - 1, -1, -1):
            dy = _kept(plan, layout, work, t, s)
            after = offset(saved, plan.history + (t + 1) * state)
            if s < plan.steps - 1:
                after = _query(plan, saved, t, s + 1)
            activate_backward(dh, after, use_tanh, dy, size)
            if plan.norm:
                read = t * plan.steps + s
                normalise_backward(
                    dy, weight, inverse, offset(saved, plan.standard + read * state),
                    offset(saved, plan.scale + read * lanes), offset(block, layout.gains),
                    offset(block, layout.gains + state), size,
                )  # fmt: skip
            add_lines(dz, dy, splat(scalar(decay, 1)), size)
            query = _query(plan, saved, t, s)
            _read_backward(plan, layout, saved, block, work, t, s, dy, query, dh, decay, rate)
        if plan.flat:
            for k in range(0, state, lanes):
                store(owed, k, load(dh, k))
        else:
            activate_backward(dh, _query(plan, saved, t, 0), use_tanh, dh, size)
            if plan.preliminary:
                normalise_backward(
                    dh, first_weight, inverse,
                    offset(saved, plan.preliminary_standard + t * state),
                    offset(saved, plan.preliminary_scale + t * lanes),
                    offset(block, layout.gains + 2 * state),
                    offset(block, layout.gains + 3 * state), size,
                )  # fmt: skip
            add_lines(dz, dh, splat(scalar(decay, 1)), size)
        from_lines(dz, offset(drive_gradient, t * size), time * size, count, dump, size)
        if n == 0 and chunk > 0:
            last = chunk == plan.chunks - 1
            _open_chunk(plan, layout, saved, work, chunk, length, last, decay)
    if plan.has_hidden:
        clear(dh, size)
        dense(packed, offset(block, layout.dz), dh, size)
        if plan.flat:
            add_lines(dh, owed, splat(scalar(decay, 1)), size)
        from_lines(dh, row_start(initial_gradient, number, size), size, count, dump, size)
    if plan.has_memory:
        _memory_gradient(plan, layout, saved, work, memory_gradient, number, count, dump, decay)


@helper
def _memory_gradient(
    plan: Plan, layout: BackwardPlan, saved: Any, work: Any, out: Any, number: int, count: int,
    dump: Any, decay: Any,
) -> None:  # fmt: skip
    """∂A(0) = Σ λ^t dy h_sᵀ."""
    size = plan.hidden
    step = plan.steps * size * plan.lanes
    whole = offset(work, layout.whole)
    keep = scalar(decay, 0)
    for s in range(plan.steps):
        dy = _kept(plan, layout, work, 0, s)
        query = _query(plan, saved, 0, s)
        add_outer_products(
            whole, False, dy, step, query, step, plan.time, scalar(decay, 1), decay, keep, size
        )
        keep = scalar(decay, 1)
    area = size * size
    from_lines(whole, row_start(out, number, area), area, count, dump, area)


@helper
def _typed(addresses: Any, like: Any) -> Any:
    """Turn the eleven addresses of the backward into pointers."""
    return (
        pointer(addresses[0], like), pointer(addresses[1], like), pointer(addresses[2], like),
        pointer(addresses[3], like), pointer(addresses[4], like), pointer(addresses[5], like),
        pointer(addresses[6], like), pointer(addresses[7], like), pointer(addresses[8], like),
        pointer(addresses[9], like), pointer(addresses[10], like),
    )  # fmt: skip


@helper
def _weight_strip(plan: Plan, layout: BackwardPlan, tensors: Any, strip: int) -> None:
    """Some rows of ∂W = Σ dz(t) h(t-1)ᵀ, over all row blocks in order."""
    dz = offset(tensors[8], layout.blocks + layout.dz)
    history = offset(tensors[1], plan.history)
    skip = 0 if plan.has_hidden else 1  # h(0) is zero
    weight_gradient_strip(
        dz, history, plan.time, skip, plan.blocks, layout.block_stride, plan.saved_stride,
        tensors[9], plan.hidden, strip,
    )  # fmt: skip


@helper
def _sum_gains(plan: Plan, layout: BackwardPlan, tensors: Any) -> None:
    """The gradients of gains, biases, λ and η: over row blocks in order, then over lanes."""
    gains = offset(tensors[8], layout.blocks + layout.gains)
    for k in range(layout.gain_lines):
        line = zeros(gains, 1)[0]
        for block in range(plan.blocks):
            line = line + load(gains, block * layout.block_stride + k * plan.lanes)
        put(tensors[10], k, total(line))


@kernel
def backward(
    values: Any, layout_values: Any, addresses: Any, workers: int, decay: Any, rate: Any,
    inverse: Any,
) -> None:  # fmt: skip
    """Run the backward on this thread."""
    plan = Plan(*values)
    layout = BackwardPlan(*layout_values)
    tensors = _typed(addresses, decay)
    pack(tensors[0], tensors[8], plan.hidden, True)
    for block in range(plan.blocks):
        backward_block(plan, layout, tensors, block, 0, decay, rate, inverse)
    for strip in range(strips(plan.hidden)):
        _weight_strip(plan, layout, tensors, strip)
    _sum_gains(plan, layout, tensors)


@kernel(parallel=True)
def backward_parallel(
    values: Any, layout_values: Any, addresses: Any, workers: int, decay: Any, rate: Any,
    inverse: Any,
) -> None:  # fmt: skip
    """Run the backward on `workers` threads; the result has the same bits as on one."""
    plan = Plan(*values)
    layout = BackwardPlan(*layout_values)
    tensors = _typed(addresses, decay)
    pack(tensors[0], tensors[8], plan.hidden, True)
    for worker in numba.prange(workers):
        for block in range(worker, plan.blocks, workers):
            backward_block(plan, layout, tensors, block, worker, decay, rate, inverse)
    for worker in numba.prange(workers):
        for strip in range(worker, strips(plan.hidden), workers):
            _weight_strip(plan, layout, tensors, strip)
    _sum_gains(plan, layout, tensors)
