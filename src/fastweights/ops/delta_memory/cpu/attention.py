"""Within a chunk F is never made: a block of queries attends to the steps that wrote before it.

    x_t = G_t₀ F₀ q_t + Σ_{i ≤ τ} G_ti ⟨q_t, k_i⟩ w_i         G_ti = g_{i+1} … g_τ,  τ the last step that t sees

Every coefficient is a product of decays, never a ratio: any decay may be 0. A block's queries are lanes.
"""

from __future__ import annotations

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.lines import clear
from fastweights.kernels.simd import (
    at,
    fma,
    lane_count,
    load,
    offset,
    one,
    scalar,
    splat,
    store,
    where_at_most,
)
from fastweights.kernels.types import Pointer, Record
from fastweights.ops.delta_memory.cpu.contract import add_outer_products, contract_backward
from fastweights.ops.delta_memory.cpu.frame import BackwardFrame, Frame
from fastweights.ops.delta_memory.cpu.lines import column_dots, padded, scale_lines
from fastweights.ops.delta_memory.cpu.product import product


@helper
def decay_coefficients(frame: Frame, count: int, columns: int) -> None:
    """The coefficients G of a block, 0 where a lane does not see a step, and what it sees of F₀."""
    plan, work = frame.plan, frame.work
    lanes = lane_count(work)
    zero = zeros(work, 1)[0]
    decay = offset(work, plan.decay)
    for column in range(0, columns, lanes):
        last = load(work, plan.instants + column)
        rest = one(work)
        place = plan.coefficients + column
        for i in range(count - 1, -1, -1):
            step = splat(scalar(at(work, 0), i))
            store(work, place + i * plan.width, where_at_most(step, last, rest, zero))
            rest = where_at_most(step, last, rest * splat(at(decay, i)), rest)
        for i in range(count, padded(plan, count)):
            store(work, place + i * plan.width, zero)
        store(work, plan.start + column, rest)


@helper
def causal_product(
    plan: Record, left: Pointer, row_step: int, step: int, right: Pointer, right_step: int,
    depth: int, out: Pointer, early: int, rows: int, columns: int,
) -> None:  # fmt: skip
    """out = L R for the steps that lanes see: the first unit of lanes sees `early` rows, the second all of them."""
    unit, width = plan.unit, plan.width
    product(left, row_step, step, right, right_step, depth, out, width, early, columns, 0)
    if early < rows:
        product(
            offset(left, early * row_step), row_step, step, offset(right, unit), right_step, depth,
            offset(out, early * width + unit), width, rows - early, columns - unit, 0,
        )  # fmt: skip


@helper
def sum_over_steps(
    plan: Record, left: Pointer, left_step: int, weights: Pointer, early: int, depth: int,
    out: Pointer, rows: int, columns: int,
) -> None:  # fmt: skip
    """out += Σ_i left_i weights_i over the steps that lanes see, `left_i` lying by step."""
    unit, width = plan.unit, plan.width
    shallow = min(early, depth)
    product(left, 1, left_step, weights, width, shallow, out, width, rows, columns, 1)
    if shallow < depth:
        product(
            offset(left, early * left_step), 1, left_step, offset(weights, early * width + unit),
            width, depth - early, offset(out, unit), width, rows, columns - unit, 1,
        )  # fmt: skip


@helper
def sum_over_queries(
    plan: Record, weights: Pointer, right: Pointer, right_step: int, many: int, out: Pointer,
    early: int, rows: int,
) -> None:  # fmt: skip
    """out_i += Σ_t weights_it right_t over the lanes t that see step i; both by step."""
    unit, width = plan.unit, plan.width
    product(weights, width, 1, right, right_step, many, out, right_step, early, right_step, 1)
    if early < rows:
        product(
            offset(weights, early * width + unit), width, 1, offset(right, unit * right_step),
            right_step, many - unit, offset(out, early * right_step), right_step, rows - early,
            right_step, 1,
        )  # fmt: skip


@helper
def score(
    frame: Frame, outer: Pointer, inner: Pointer, step: int, early: int, rows: int, columns: int
) -> None:  # fmt: skip
    """⟨q_t, k_i⟩ in its factors, for a block of queries and the steps that they see."""
    plan, work = frame.plan, frame.work
    time = plan.time_pad
    if plan.outer:
        causal_product(
            plan, offset(work, plan.outer_lines), 1, time, outer, step, plan.outer,
            offset(work, plan.outer_scores), early, rows, columns,
        )  # fmt: skip
    causal_product(
        plan, offset(work, plan.inner_lines), 1, time, inner, step, plan.inner,
        offset(work, plan.inner_scores), early, rows, columns,
    )  # fmt: skip


@helper
def weigh(frame: Frame, first: int, early: int, rows: int, columns: int, faded: int) -> None:
    """weights = scores, times G where `faded`, for steps first <= i < rows."""
    plan, work = frame.plan, frame.work
    lanes = lane_count(work)
    for i in range(first, rows):
        start = 0 if i < early else plan.unit
        for k in range(i * plan.width + start, i * plan.width + columns, lanes):
            weight = load(work, plan.inner_scores + k)
            if plan.outer:
                weight = weight * load(work, plan.outer_scores + k)
            if faded:
                weight = weight * load(work, plan.coefficients + k)
            store(work, plan.weights + k, weight)


@helper
def attend(frame: Frame, early: int, depth: int, columns: int) -> None:
    """result += Σ_{i < depth} w_i weights_i."""
    plan, work = frame.plan, frame.work
    sum_over_steps(
        plan, offset(work, plan.written), plan.value_pad, offset(work, plan.weights), early, depth,
        offset(work, plan.result_lines), plan.value_pad, columns,
    )  # fmt: skip


@helper
def attend_backward(
    frame: BackwardFrame, outer: Pointer, inner: Pointer, step: int, outer_steps: Pointer,
    inner_steps: Pointer, many: int, depth: int, early: int, rows: int,
) -> None:  # fmt: skip
    """From the gradient of what a block found to those of queries, keys, w, g and F₀.

    `many` lanes see `depth` steps, `rows` in whole units, of which the first unit of lanes sees `early`; scores and
    coefficients are the block's.
    """
    plan, layout, work = frame.plan, frame.layout, frame.work
    width, value = plan.width, plan.value_pad
    columns = padded(plan, many)
    gradient = offset(work, layout.gradient_lines)
    gradient_steps = offset(work, layout.gradient_steps)
    start = offset(work, plan.start)
    outer_gradient = offset(work, layout.query_outer_gradient)
    inner_gradient = offset(work, layout.query_inner_gradient)
    through = offset(work, plan.result_lines)
    if frame.occupied:
        contract_backward(
            plan,
            frame.memory,
            gradient,
            outer,
            inner,
            step,
            outer_gradient,
            inner_gradient,
            columns,
        )
        if layout.wants_gate:
            column_dots(inner_gradient, inner, step, width, plan.inner, columns, through)
        if plan.outer:
            scale_lines(outer_gradient, width, plan.outer, columns, start)
        scale_lines(inner_gradient, width, plan.inner, columns, start)
    else:
        clear(outer_gradient, plan.outer_pad * width)
        clear(inner_gradient, plan.inner_pad * width)
        clear(through, width)
    if frame.wants_memory:
        sums = offset(work, layout.memory_sum)
        add_outer_products(
            plan, sums, scalar(at(work, 0), 1), 1, sums, outer_steps, inner_steps, gradient_steps,
            start, many, offset(work, plan.scaled),
        )  # fmt: skip
    written = offset(work, plan.written)
    causal_product(
        plan, written, value, 1, gradient, width, plan.value, offset(work, layout.score_gradient), early, rows,
        columns,
    )  # fmt: skip
    if layout.wants_gate:
        _gate_backward(frame, through, early, depth, columns)
    _weigh_backward(frame, early, rows, columns)
    weights = offset(work, plan.weights)
    target = offset(work, layout.written_gradient)
    sum_over_queries(plan, weights, gradient_steps, value, many, target, early, rows)
    if plan.outer:
        scores, pad = offset(work, plan.outer_scores), plan.outer_pad
        keys, target = offset(work, plan.outer_steps), offset(work, layout.outer_steps_gradient)
        sum_over_queries(plan, scores, outer_steps, pad, many, target, early, rows)
        sum_over_steps(plan, keys, pad, scores, early, depth, outer_gradient, pad, columns)
    scores, pad = offset(work, plan.inner_scores), plan.inner_pad
    keys, target = offset(work, plan.inner_steps), offset(work, layout.inner_steps_gradient)
    sum_over_queries(plan, scores, inner_steps, pad, many, target, early, rows)
    sum_over_steps(plan, keys, pad, scores, early, depth, inner_gradient, pad, columns)


@helper
def _weigh_backward(frame: BackwardFrame, early: int, rows: int, columns: int) -> None:
    """The weights, and in place of the scores of each factor their gradients."""
    plan, layout, work = frame.plan, frame.layout, frame.work
    lanes = lane_count(work)
    for i in range(rows):
        start = 0 if i < early else plan.unit
        for k in range(i * plan.width + start, i * plan.width + columns, lanes):
            coefficient = load(work, plan.coefficients + k)
            inner = load(work, plan.inner_scores + k)
            gradient = load(work, layout.score_gradient + k) * coefficient
            weight = inner * coefficient
            if plan.outer:
                outer = load(work, plan.outer_scores + k)
                weight = weight * outer
                store(work, plan.outer_scores + k, gradient * inner)
                gradient = gradient * outer
            store(work, plan.inner_scores + k, gradient)
            store(work, plan.weights + k, weight)


@helper
def _gate_backward(
    frame: BackwardFrame, through: Pointer, early: int, depth: int, columns: int
) -> None:  # fmt: skip
    """∂g_i += what flows from before step i to after it: Σ_t G_ti Σ_{j < i} G_{i-1, j} ∂(score_tj) score_tj."""
    plan, layout, work = frame.plan, frame.layout, frame.work
    lanes = lane_count(work)
    for column in range(0, columns, lanes):
        flow = load(through, column)
        for i in range(depth if column >= plan.unit else min(early, depth)):
            k = i * plan.width + column
            lines = layout.gate_lines + i * lanes
            coefficient = load(work, plan.coefficients + k)
            store(work, lines, fma(coefficient, flow, load(work, lines)))
            part = load(work, layout.score_gradient + k) * load(work, plan.inner_scores + k)
            if plan.outer:
                part = part * load(work, plan.outer_scores + k)
            flow = fma(flow, splat(at(work, plan.decay + i)), part)
