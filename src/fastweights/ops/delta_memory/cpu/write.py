"""The writes of a chunk: a forward substitution, block by block of steps.

    p_t = F_{t-1} k_t        u_t = β_t (v_t − α_t p_t)   (delta rule)   or   β_t v_t   (Hebb's)
    F_t = g_t F_{t-1} + w_t k_tᵀ        w_t = a_t u_t,  g_t = a_t α_t

The clamp a_t = 1 / √max(1, ‖F'‖²) follows from ‖F'‖² = ‖F‖² + 2 ⟨u, p⟩ + ‖k‖² ‖u‖².
"""

from __future__ import annotations

import math

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.lines import clear, dot, scale
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
from fastweights.ops.delta_memory.cpu.attention import attend, score, weigh
from fastweights.ops.delta_memory.cpu.contract import contract
from fastweights.ops.delta_memory.cpu.frame import Frame, mask_part, part, strided
from fastweights.ops.delta_memory.cpu.lines import copy_row, padded, transpose


@helper
def write_chunk(frame: Frame) -> Real:
    """Compute w, g and what saves the backward work; returns the product of all g."""
    plan, tensors, saved, work = frame.plan, frame.tensors, frame.saved, frame.work
    first, count = frame.first, frame.length
    values = strided(frame, tensors.values, plan.value_row, plan.value_step)
    strength, gate = part(frame, tensors.strength, 1), part(frame, tensors.gate, 1)
    real = mask_part(frame, tensors.real)
    width, value = plan.width, plan.value_pad
    written, fading = offset(work, plan.written), offset(work, plan.fading)
    for t in range(count):
        copy_row(offset(values, t * plan.value_step), offset(written, t * value), plan.value, value)
    clear(offset(written, count * value), (plan.time_pad - count) * value)
    clear(fading, plan.time_pad)
    decay = scalar(at(work, 0), 1)
    norm = scalar(decay, 0)
    if plan.clamp and frame.occupied:
        norm = total(dot(frame.memory, frame.memory, plan.state))
    for s in range(0, count, width):
        steps = min(width, count - s)
        if plan.delta or plan.clamp:
            _project(frame, s, steps, decay)
        inside = scalar(decay, 1)
        for j in range(steps):
            t = s + j
            alpha = scalar(decay, 1)
            if plan.gated:
                alpha = at(gate, t)
            place = offset(saved, plan.projected + (first + t) * value)
            growth = _substitute(frame, place, s, j, inside, at(strength, t), alpha)
            if plan.clamp:
                after = norm + growth
                half = scalar(decay, 0)
                if after > 1 and (plan.has_real == 0 or at(real, t) != 0):
                    half = scalar(decay, 1) / (after + after)
                    alpha = scalar(decay, 1) / math.sqrt(after)
                    scale(offset(written, t * value), alpha, value)
                    after = scalar(decay, 1)
                norm = after
                put(saved, plan.growth + first + t, growth)
                put(saved, plan.half + first + t, half)
            put(work, plan.decay + t, alpha)
            if plan.clamp or plan.gated:
                scale(offset(fading, s), alpha, min(width, plan.time_pad - s))
            put(fading, t, scalar(decay, 1))
            inside *= alpha
        scale(fading, inside, s)
        decay *= inside
    return decay


@helper
def _project(frame: Frame, s: int, steps: int, kept: Real) -> None:
    """F k of a block's steps, as far as F was written before the block; and the scores within it."""
    plan, work = frame.plan, frame.work
    width, value, time = plan.width, plan.value_pad, plan.time_pad
    columns = padded(plan, steps)
    outer, inner = offset(work, plan.outer_lines + s), offset(work, plan.inner_lines + s)
    result = offset(work, plan.result_lines)
    if frame.occupied:
        contract(plan, frame.memory, outer, inner, time, result, steps)
        if plan.clamp or plan.gated:
            scale(result, kept, value * width)
    else:
        clear(result, value * width)
    rows = s + columns
    early = s + plan.unit
    score(frame, outer, inner, time, early, rows, columns)
    weigh(frame, 0, early, rows, columns, 0)
    weights = offset(work, plan.weights)
    for i in range(s):
        scale(offset(weights, i * width), at(work, plan.fading + i), columns)
    attend(frame, early, s, columns)
    transpose(result, width, offset(work, plan.result_steps), value, value, columns)


@helper
def _substitute(
    frame: Frame, place: Pointer, s: int, j: int, inside: Real, beta: Real, alpha: Real
) -> Real:  # fmt: skip
    """p of the block's step j, and u in the place of v; returns what the write adds to ‖F‖²."""
    plan, work = frame.plan, frame.work
    lanes = lane_count(work)
    value = plan.value_pad
    written = offset(work, plan.written + s * value)
    t = s + j
    zero = zeros(work, 1)[0]
    along, square = zero, zero
    projecting = plan.delta or plan.clamp
    if projecting:
        for i in range(j):
            weight = at(work, plan.weights + (s + i) * plan.width + j)
            put(work, plan.start + i, weight * at(work, plan.fading + s + i))
    for k in range(0, value, lanes):
        v = load(written, j * value + k)
        if projecting:
            p = load(work, plan.result_steps + j * value + k) * splat(inside)
            for i in range(j):
                p = fma(splat(at(work, plan.start + i)), load(written, i * value + k), p)
            store(place, k, p)
            if plan.delta:
                v = v - p * splat(alpha)
            u = v * splat(beta)
            along = fma(u, p, along)
            square = fma(u, u, square)
        else:
            u = v * splat(beta)
        store(written, j * value + k, u)
    growth = total(along)
    kappa = at(work, plan.inner_square + t)
    if plan.outer:
        kappa *= at(work, plan.outer_square + t)
    return growth + growth + kappa * total(square)
