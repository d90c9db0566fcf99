"""The gradients of a chunk's writes: the substitution backwards, block by block from the last.

With r = ∂‖F'_t‖², in which ρ = ∂‖F_t‖² and φ_t = ⟨F̄_t, F_t⟩ (F̄ the gradient by F through all but the norm) meet:

    r = −φ_t / (2 ‖F'_t‖²)  where the clamp acts, else ρ          ρ ← r
    ∂u = a_t ∂w + 2 r (p + ‖k‖² u)      ∂p = 2 r u − α_t β_t ∂u  (delta rule)  or  2 r u  (Hebb's)
    φ_{t−1} = φ_t + 2 r (‖F'_t‖² − ‖F_{t−1}‖²) − β ⟨∂u, v⟩ + ⟨∂x, x⟩ of the reads of step t−1
"""

from __future__ import annotations

import math

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.lines import clear
from fastweights.kernels.simd import (
    at,
    fma,
    lane_count,
    load,
    offset,
    put,
    scalar,
    splat,
    store,
    total,
)
from fastweights.kernels.types import Pointer, Real
from fastweights.ops.delta_memory.cpu.attention import (
    attend_backward,
    decay_coefficients,
    score,
    weigh,
)
from fastweights.ops.delta_memory.cpu.frame import BackwardFrame, part, strided
from fastweights.ops.delta_memory.cpu.lines import add_lines, copy_row, padded, transpose


@helper
def restore_writes(frame: BackwardFrame) -> Real:
    """Compute the errors v − α p, w and the decays of a chunk again; returns the product of all g."""
    plan, tensors, layout, work = frame.plan, frame.tensors, frame.layout, frame.work
    saved, first, count = frame.saved, frame.first, frame.length
    values = strided(frame, tensors.values, plan.value_row, plan.value_step)
    strength, gate = part(frame, tensors.strength, 1), part(frame, tensors.gate, 1)
    lanes, value = lane_count(work), plan.value_pad
    one = scalar(at(work, 0), 1)
    error, written = offset(work, layout.error), offset(work, plan.written)
    for t in range(count):
        alpha, beta = one, at(strength, t)
        if plan.gated:
            alpha = at(gate, t)
        row = offset(error, t * value)
        copy_row(offset(values, t * plan.value_step), row, plan.value, value)
        if plan.delta:
            p = offset(saved, plan.projected + (first + t) * value)
            for k in range(0, value, lanes):
                store(row, k, load(row, k) - load(p, k) * splat(alpha))
        if plan.clamp:
            half = at(saved, plan.half + first + t)
            if half > 0:
                alpha = math.sqrt(half + half)
                beta *= alpha
        for k in range(0, value, lanes):
            store(written, t * value + k, load(row, k) * splat(beta))
        put(work, plan.decay + t, alpha)
    clear(offset(written, count * value), (plan.time_pad - count) * value)
    kept = one
    clear(offset(work, plan.fading), plan.time_pad)
    for t in range(count - 1, -1, -1):
        put(work, plan.fading + t, kept)
        kept *= at(work, plan.decay + t)
    return kept


@helper
def write_backward(frame: BackwardFrame, flow: Real) -> Real:
    """Run a chunk's writes backwards, φ being `flow` at its end; returns ρ at its start."""
    plan, tensors, layout, work = frame.plan, frame.tensors, frame.layout, frame.work
    saved, first, count = frame.saved, frame.first, frame.length
    strength, gate = part(frame, tensors.strength, 1), part(frame, tensors.gate, 1)
    values_gradient = part(frame, tensors.values_gradient, plan.value)
    strength_gradient = part(frame, tensors.strength_gradient, 1)
    width, value, time = plan.width, plan.value_pad, plan.time_pad
    square = scalar(flow, 0)
    steps = offset(work, layout.gradient_steps)
    for s in range((count - 1) // width * width, -1, -width):
        many = min(width, count - s)
        columns, depth = padded(plan, many), s + many
        outer, inner = offset(work, plan.outer_lines + s), offset(work, plan.inner_lines + s)
        early, rows = s + plan.unit, padded(plan, depth)
        if plan.delta or plan.clamp:
            for j in range(columns):
                put(work, plan.instants + j, scalar(flow, s + j - 1 if j < many else -1))
            decay_coefficients(frame, depth, columns)
            score(frame, outer, inner, time, early, rows, columns)
            weigh(frame, s, early, depth, columns, 1)
        for j in range(many - 1, -1, -1):
            t = s + j
            flow += at(work, layout.flow + t)
            beta, alpha = at(strength, t), scalar(flow, 1)
            if plan.gated:
                alpha = at(gate, t)
            r, clamp_factor, growth = square, scalar(flow, 1), scalar(flow, 0)
            if plan.clamp:
                growth = at(saved, plan.growth + first + t)
                half = at(saved, plan.half + first + t)
                if half > 0:
                    r = -flow * half
                    clamp_factor = math.sqrt(half + half)
            p = offset(saved, plan.projected + (first + t) * value)
            along = _step(
                frame, p, s, j, many, r, clamp_factor, alpha, beta, offset(values_gradient, t *
                plan.value), offset(strength_gradient, t),
            )  # fmt: skip
            flow += (r + r) * growth - along
            square = r
        if plan.delta or plan.clamp:
            clear(offset(steps, many * value), (columns - many) * value)
            transpose(
                steps, value, offset(work, layout.gradient_lines), width, columns, value
            )  # fmt: skip
            attend_backward(
                frame, outer, inner, time, offset(work, plan.outer_steps + s * plan.outer_pad),
                offset(work, plan.inner_steps + s * plan.inner_pad), many, depth, early, rows,
            )  # fmt: skip
            if plan.outer:
                add_lines(
                    offset(work, layout.query_outer_gradient), width,
                    offset(work, layout.outer_lines_gradient + s), time, plan.outer, columns,
                )  # fmt: skip
            add_lines(
                offset(work, layout.query_inner_gradient), width,
                offset(work, layout.inner_lines_gradient + s), time, plan.inner, columns,
            )  # fmt: skip
    return square


@helper
def _step(
    frame: BackwardFrame, p: Pointer, s: int, j: int, many: int, r: Real, clamp_factor: Real,
    alpha: Real, beta: Real, value_gradient: Pointer, strength_gradient: Pointer,
) -> Real:  # fmt: skip
    """One step: ∂p into the block's rows, ∂v, ∂β, and ∂α and ∂‖k‖² kept; returns β ⟨∂u, v⟩ where it matters."""
    plan, layout, work = frame.plan, frame.layout, frame.work
    lanes, value, t = lane_count(work), plan.value_pad, s + j
    steps = offset(work, layout.gradient_steps)
    weights = offset(work, plan.weights + t * plan.width)
    row = offset(steps, j * value)
    zero = zeros(work, 1)[0]
    by_error, by_p, squares = zero, zero, zero
    projecting = plan.delta or plan.clamp
    kappa = at(work, plan.inner_square + t)
    if plan.outer:
        kappa *= at(work, plan.outer_square + t)
    twice = r + r
    for k in range(0, value, lanes):
        g = load(work, layout.written_gradient + t * value + k)
        error = load(work, layout.error + t * value + k)
        if projecting:
            for i in range(many - 1, j, -1):
                g = fma(splat(at(weights, i)), load(steps, i * value + k), g)
            g = g * splat(clamp_factor)
            u = error * splat(beta)
            found = load(p, k)
            if plan.clamp:
                g = fma(splat(twice), fma(u, splat(kappa), found), g)
            by_p = fma(g, found, by_p)
            squares = fma(u, u, squares)
            by_found = u * splat(twice)
            if plan.delta:
                by_found = by_found - g * splat(alpha * beta)
            store(row, k, by_found)
        by_error = fma(g, error, by_error)
        store(work, plan.scaled + k, g * splat(beta))
    copy_row(offset(work, plan.scaled), value_gradient, plan.value, plan.value)
    put(strength_gradient, 0, total(by_error))
    put(work, layout.square_gradient + t, r * total(squares))
    along = beta * total(by_error)
    if plan.delta:
        by_gate = beta * total(by_p)
        put(work, layout.gate_sums + t, at(work, layout.gate_sums + t) - by_gate)
        along += by_gate
    return along
