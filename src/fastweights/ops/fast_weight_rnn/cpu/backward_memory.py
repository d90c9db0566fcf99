"""The backward of the fast memory: gradients from reads to the states they read, within a chunk and across its borders.

With c(t, τ) = η λ^(t-1-τ), q = ⟨h(τ), h_s⟩ (kept by the forward) and p = ⟨h(τ), dy⟩, a read y = z + A(t-1) h_s gives

    dh_s = A(t-1) dy = Σ c p h(τ) + …      dh(τ) += c (q dy + p h_s)      dc = q p

and the memory at a chunk's end, with G = ∂/∂A + (∂/∂A)ᵀ there, gives dh(τ) += η λ^(C-n) G h(τ).
"""

from __future__ import annotations

from fastweights.kernels.compile import helper
from fastweights.kernels.lines import add, add_scaled, clear, dot
from fastweights.kernels.simd import lane_count, load, offset, scalar, splat, store
from fastweights.kernels.types import Pointer, Real, Vector
from fastweights.ops.fast_weight_rnn.cpu.contract import GROUP_ROWS, mix, mix_group, score
from fastweights.ops.fast_weight_rnn.cpu.layout import Frame, count_of, from_lines, rows_of
from fastweights.ops.fast_weight_rnn.cpu.matrix import add_outer_products, symmetric, triangle_dot
from fastweights.ops.fast_weight_rnn.cpu.norm import power
from fastweights.ops.fast_weight_rnn.cpu.plan import GROUP


@helper
def _add(lines: Pointer, index: int, x: Vector, weight: Real) -> None:
    """lines[index] += weight x."""
    place = index * lane_count(lines)
    store(lines, place, load(lines, place) + x * splat(weight))


@helper
def query_of(frame: Frame, t: int, s: int) -> Pointer:
    """Where h_s(t) lies: the argument of read s of step t."""
    plan, saved = frame.plan, frame.saved
    state = plan.hidden * plan.lanes
    if plan.flat:
        return offset(saved, plan.history + t * state)
    return offset(saved, plan.queries + (t * plan.steps + s) * state)


@helper
def read_gradient_of(frame: Frame, t: int, s: int) -> Pointer:
    """Where dy of read s of step t is kept: for the chunk, or for the sequence if ∂A(0) needs it."""
    plan, layout, work = frame.plan, frame.layout, frame.work
    step = t if plan.has_memory else t % plan.chunk
    return offset(work, layout.read_gradients + (step * plan.steps + s) * plan.hidden * plan.lanes)


@helper
def grad_from_later_chunks(frame: Frame, chunk: int) -> None:
    """The gradients of a chunk's states through the memory at its end, η λ^(C-n) G h; and ∂λ, ∂η of that memory."""
    plan, layout, saved, work = frame.plan, frame.layout, frame.saved, frame.work
    decay, rate = frame.decay, frame.rate
    size, lanes = plan.hidden, plan.lanes
    state = size * lanes
    symmetric_gradient = offset(work, layout.symmetric)
    scalars = offset(frame.block, layout.scalars)
    half = scalar(decay, 1) / scalar(decay, 2)
    weight, slope = scalar(decay, 1), scalar(decay, 0)
    for n in range(plan.chunk - 1, -1, -1):
        h = offset(saved, plan.history + (chunk * plan.chunk + 1 + n) * state)
        later = offset(work, layout.later_gradients + n * state)
        clear(later, state)
        symmetric(symmetric_gradient, h, later, size)
        if layout.wants_scalars:
            product = dot(later, h, state)
            _add(scalars, 0, product, half * rate * slope)
            _add(scalars, 1, product, half * weight)
        for k in range(0, state, lanes):
            store(later, k, load(later, k) * splat(rate * weight))
        slope = slope * decay + weight
        weight *= decay
    if layout.wants_scalars and chunk > 0:
        border = offset(saved, plan.borders + (chunk - 1) * plan.border_stride)
        product = triangle_dot(symmetric_gradient, border, size)
        _add(scalars, 0, product, half * scalar(decay, plan.chunk) * power(decay, plan.chunk - 1))


@helper
def read_backward(frame: Frame, t: int, s: int, dy: Pointer, query: Pointer, dh: Pointer) -> None:
    """dh = A(t-1) dy; keeps the coefficients of this read's gradients by earlier states."""
    plan, layout, saved, work = frame.plan, frame.layout, frame.saved, frame.work
    decay, rate = frame.decay, frame.rate
    size, lanes = plan.hidden, plan.lanes
    state = size * lanes
    chunk, n = divmod(t, plan.chunk)
    scalars = offset(frame.block, layout.scalars)
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
    mix(history, state, n, products, offset(work, layout.zeros), dh, size)
    if chunk > 0:
        border = offset(saved, plan.borders + (chunk - 1) * plan.border_stride)
        _border_backward(frame, scalars, border, 1, n, dy, query, dh)
    if plan.has_memory:
        border = offset(saved, plan.initial)
        _border_backward(frame, scalars, border, 0, t, dy, query, dh)


@helper
def _border_backward(
    frame: Frame, scalars: Pointer, memory: Pointer, triangle: int, age: int, dy: Pointer,
    query: Pointer, dh: Pointer,
) -> None:  # fmt: skip
    """dh += λ^age Mᵀ dy for a memory M; ∂λ too."""
    plan, layout, work, decay = frame.plan, frame.layout, frame.work, frame.decay
    state = plan.hidden * plan.lanes
    product = offset(work, layout.product)
    clear(product, state)
    if triangle:
        symmetric(memory, dy, product, plan.hidden)
    else:
        mix(memory, state, plan.hidden, dy, product, product, plan.hidden)
    add_scaled(product, power(decay, age), dh, state)
    if layout.wants_scalars and age > 0:
        slope = dot(product, query, state)
        _add(scalars, 0, slope, scalar(decay, age) * power(decay, age - 1))


@helper
def add_grad_from_reads(frame: Frame, dh: Pointer, t: int, length: int) -> None:
    """dh(t) += Σ over later reads of the chunk, c (q dy + p h_s).

    The reads after a group of GROUP states are summed for the whole group at once, when its last state is due.
    """
    plan, layout, work = frame.plan, frame.layout, frame.work
    size, lanes, steps = plan.hidden, plan.lanes, plan.steps
    state = size * lanes
    n = t % plan.chunk
    start = t - n
    width = plan.chunk * steps * lanes  # from one state's coefficients to the next's
    first = n - n % GROUP
    end = min(first + GROUP, length)
    grouped = size >= GROUP_ROWS
    group = offset(work, layout.group)
    if not grouped:
        end = length
    elif end < length:
        if n == end - 1:
            row = first * width + end * steps * lanes
            mix_group(
                read_gradient_of(frame, start + end, 0), query_of(frame, start + end, 0),
                state, (length - end) * steps, offset(work, layout.by_gradient + row),
                offset(work, layout.by_query + row), width, group, size,
            )  # fmt: skip
        add(offset(group, (n - first) * state), dh, state)
    if n + 1 < end:
        row = n * width + (n + 1) * steps * lanes
        reads = (end - n - 1) * steps
        by_gradient = offset(work, layout.by_gradient + row)
        by_query = offset(work, layout.by_query + row)
        mix(read_gradient_of(frame, t + 1, 0), state, reads, by_gradient, dh, dh, size)
        mix(query_of(frame, t + 1, 0), state, reads, by_query, dh, dh, size)


@helper
def grad_of_start(frame: Frame, chunk: int, length: int, last: bool) -> None:
    """G at the start of a chunk: λ^C G + Σ λ^n (dy h_sᵀ + h_s dyᵀ)."""
    plan, layout, work, decay = frame.plan, frame.layout, frame.work, frame.decay
    size = plan.hidden
    state = size * plan.lanes
    gradient = offset(work, layout.symmetric)
    panel = offset(work, layout.panel)
    keep = scalar(decay, 0) if last else power(decay, plan.chunk)
    for s in range(plan.steps):
        dy = read_gradient_of(frame, chunk * plan.chunk, s)
        query = query_of(frame, chunk * plan.chunk, s)
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
def grad_of_initial(frame: Frame) -> None:
    """∂A(0) = Σ λ^t dy h_sᵀ."""
    plan, layout, work, decay = frame.plan, frame.layout, frame.work, frame.decay
    size, lanes = plan.hidden, plan.lanes
    step = plan.steps * size * lanes
    initial = offset(work, layout.initial_gradient)
    panel = offset(work, layout.panel)
    keep = scalar(decay, 0)
    unit = scalar(decay, 1)
    for s in range(plan.steps):
        dy = read_gradient_of(frame, 0, s)
        query = query_of(frame, 0, s)
        add_outer_products(
            initial, initial, 0, dy, step, query, step, plan.time, unit, decay, keep, size, panel
        )
        keep = unit
    area = size * size
    out = rows_of(frame, frame.tensors.memory_gradient, area)
    from_lines(initial, out, area, count_of(frame), offset(work, lanes), area)
