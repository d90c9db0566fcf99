"""The two sequential kernels: the writes step by step, and their gradients; a program a row, of one warp.

    f_t = F_{t-1} k_t        u_t = β_t (v_t − f_t)   (delta rule)   or   β_t v_t   (Hebb's)
    N'_t = N_{t-1} + 2 u_t·f_t + κ_t ‖u_t‖²          a_t = 1/√max(1, N'_t),  N_t = min(1, N'_t)

Backwards, ℓ_t = −log Π a_1…a_t and ρ, r are the gradients by N_t and N'_t:

    clamped: r = (ρ + ∂ℓ_t/2) / N'_t,  ∂ℓ_{t-1} = 0         else: r = ρ,  ∂ℓ_{t-1} = ∂ℓ_t         ρ ← r
    ∂u_t += 2 r (f_t + κ_t u_t)        ∂f_t = 2 r u_t − β_t ∂u_t   or   2 r u_t        ∂κ_t = r ‖u_t‖²
    ∂v_t = β_t ∂u_t        ∂β_t = ∂u_t·(v_t − f_t)   or   ∂u_t·v_t        ∂ℓ_{t-1} += β_t ∂u_t·v_t
    ∂u_i += D_{t-1,i} K_ti ∂f_t   for i < t

What a step needs is loaded while the step before it is computed: a load in turn would cost more than the step.
"""

from __future__ import annotations

from fastweights.kernels.triton.language import Number, Pointer, constexpr, dot, kernel, tl
from fastweights.ops.delta_memory.cuda.product.tiles import load_block


@kernel
def write(
    products: Pointer, values: Pointer, strength: Pointer, norm: Pointer, real: Pointer, found: Pointer,
    writes: Pointer, tailed: Pointer, factors: Pointer, grown: Pointer, whole: Pointer, total: Number, first: Number,
    steps: Number, blocks: Number, VALUE: constexpr, SV: constexpr, C: constexpr, CARRIED: constexpr,
    MASKED: constexpr, DELTA: constexpr, CLAMP: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """f, u, a and N' where the clamp acts; `found` holds F(0) k at first. Grid (rows,)."""
    row = tl.program_id(0).to(tl.int64)
    width = blocks * C
    kind: constexpr = values.dtype.element_ty
    step = tl.arange(0, C)[:, None]
    value = tl.arange(0, SV)[None, :]
    one = tl.full([1, 1], 1.0, kind)
    square = tl.zeros([1, 1], kind)
    if CARRIED:
        square += tl.load(norm + row)
    for block in range(blocks):
        at, valid = row * total + first + block * C, steps - block * C
        rows = products + (row * width + block * C) * width
        f_all = tl.zeros([C, SV], kind)
        between = one
        for back in range(1, block + 1):
            past = block - back
            tile = tl.load(rows + step * width + past * C + tl.arange(0, C)[None, :])
            there = row * total + first + past * C
            f_all += between * dot(tile, load_block(tailed, there, C, 0, 1, VALUE, SV, C), P)
            between *= tl.load(whole + row * blocks + past)
        if CARRIED:
            f_all += between * load_block(found, at, valid, 0, 1, VALUE, SV, C)
        a_all = tl.full([C, 1], 1.0, kind)
        # K is symmetric: the row of a step, which lies together, is its column.
        column = tl.load(rows + block * C + step)
        kappa, beta = tl.load(rows + block * C), tl.load(strength + at)
        v = tl.load(values + at * VALUE + value, value < VALUE, 0.0)
        for t in range(C):
            after = tl.minimum(t + 1, C - 1)
            next_column = tl.load(rows + after * width + block * C + step)
            next_kappa = tl.load(rows + after * width + block * C + after)
            next_beta = tl.load(strength + at + after, after < valid, 0.0)
            inside = (value < VALUE) & (after < valid)
            next_v = tl.load(values + (at + after) * VALUE + value, inside, 0.0)
            f = tl.sum(tl.where(step == t, f_all, 0.0), 0, keep_dims=True)
            u = beta * (v - f) if DELTA else beta * v
            inside = (value < VALUE) & (t < valid)
            tl.store(found + (at + t) * VALUE + value, f, inside)
            tl.store(writes + (at + t) * VALUE + value, u, inside)
            f_all += column * u
            if CLAMP:
                after_write = square + tl.sum(u * (2.0 * f + kappa * u), 1, keep_dims=True)
                over = after_write > 1.0
                if MASKED:
                    over = over & (tl.load(real + at + t, t < valid, 0) != 0)
                a = tl.where(over, 1.0 / tl.sqrt(tl.where(over, after_write, 1.0)), 1.0)
                square = tl.where(over, 1.0, after_write)
                f_all *= a
                a_all = tl.where(step == t, a, a_all)
                tl.store(
                    grown + at + t + tl.zeros([1, 1], tl.int32),
                    tl.where(over, after_write, 0.0),
                    t < valid,
                )
            column, kappa, beta, v = next_column, next_kappa, next_beta, next_v
        tail = tl.cumprod(a_all, 0, reverse=True)
        tl.store(factors + at + step, a_all, step < valid)
        tl.store(whole + row * blocks + block + step, tail, step == 0)
        tl.debug_barrier()  # other threads wrote u
        u_all = load_block(writes, at, valid, 0, 1, VALUE, SV, C)
        inside = (step < valid) & (value < VALUE)
        tl.store(tailed + at * VALUE + step * VALUE + value, tail * u_all, inside)
        tl.debug_barrier()


@kernel
def write_back(
    products: Pointer, values: Pointer, strength: Pointer, found: Pointer, writes: Pointer, grown: Pointer,
    flow: Pointer, flow_at_end: Pointer, before: Pointer, tail: Pointer, whole: Pointer, gradient: Pointer,
    found_gradient: Pointer, faded: Pointer, values_gradient: Pointer, strength_gradient: Pointer,
    square_gradient: Pointer, norm_gradient: Pointer, total: Number, first: Number, steps: Number, blocks: Number,
    VALUE: constexpr, SV: constexpr, C: constexpr, DELTA: constexpr, CLAMP: constexpr, FLOWS: constexpr,
    ENDS: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """∂v, ∂β, ∂f, ∂κ and ρ at the start, from ∂u by reads and by F's end (`gradient`). Grid (rows,).

    `products` are faded, and so is a copy of ∂f: before_{t-1} ∂f_t.
    """
    row = tl.program_id(0).to(tl.int64)
    width = blocks * C
    kind: constexpr = values.dtype.element_ty
    step = tl.arange(0, C)[:, None]
    value = tl.arange(0, SV)[None, :]
    one = tl.full([1, 1], 1.0, kind)
    rho = tl.zeros([1, 1], kind)
    slope = tl.zeros([1, 1], kind)
    if ENDS:
        slope -= tl.load(flow_at_end + row)
    for turn in range(1, blocks + 1):
        block = blocks - turn
        at, valid = row * total + first + block * C, steps - block * C
        place = (row * blocks + block) * C
        u_back = tl.zeros([C, SV], kind)
        between = one
        for later in range(block + 1, blocks):
            there = row * total + first + later * C
            rows = products + (row * width + later * C) * width + block * C
            tile = tl.load(rows + step * width + tl.arange(0, C)[None, :])
            late = load_block(faded, there, steps - later * C, 0, 1, VALUE, SV, C)
            u_back += between * dot(tl.trans(tile), late, P)
            between *= tl.load(whole + row * blocks + later)
        u_back *= tl.load(tail + place + step)
        u_back += load_block(gradient, at, valid, 0, 1, VALUE, SV, C)
        rows = products + (row * width + block * C) * width + block * C
        last = C - 1
        weights = tl.load(rows + last * width + step)
        kappa = tl.load(rows + last * width + last)
        beta = tl.load(strength + at + last, last < valid, 0.0)
        inside = (value < VALUE) & (last < valid)
        v = tl.load(values + (at + last) * VALUE + value, inside, 0.0)
        f = tl.load(found + (at + last) * VALUE + value, inside, 0.0)
        u = tl.load(writes + (at + last) * VALUE + value, inside, 0.0)
        for back in range(C):
            t = last - back
            ahead = tl.maximum(t - 1, 0)
            next_weights = tl.load(rows + ahead * width + step)
            next_kappa = tl.load(rows + ahead * width + ahead)
            next_beta = tl.load(strength + at + ahead, ahead < valid, 0.0)
            inside = (value < VALUE) & (ahead < valid)
            next_v = tl.load(values + (at + ahead) * VALUE + value, inside, 0.0)
            next_f = tl.load(found + (at + ahead) * VALUE + value, inside, 0.0)
            next_u = tl.load(writes + (at + ahead) * VALUE + value, inside, 0.0)
            earlier = tl.load(before + place + t - 1, t > 0, 1.0)
            if CLAMP:
                if FLOWS:
                    slope += tl.load(flow + at + t, t < valid, 0.0)
                square = tl.load(grown + at + t, t < valid, 0.0)
                clamped = square > 0.0
                rho = tl.where(clamped, (rho + 0.5 * slope) / tl.where(clamped, square, 1.0), rho)
                slope = tl.where(clamped, 0.0, slope)
            g = tl.sum(tl.where(step == t, u_back, 0.0), 0, keep_dims=True)
            if CLAMP:
                g += 2.0 * rho * (f + kappa * u)
            f_back = 2.0 * rho * u
            if DELTA:
                f_back -= beta * g
            inside = (value < VALUE) & (t < valid)
            tl.store(values_gradient + (at + t) * VALUE + value, beta * g, inside)
            tl.store(found_gradient + (at + t) * VALUE + value, f_back, inside)
            tl.store(faded + (at + t) * VALUE + value, earlier * f_back, inside)
            by_value = tl.sum(g * v, 1, keep_dims=True)
            by_strength = by_value - tl.sum(g * f, 1, keep_dims=True) if DELTA else by_value
            single = tl.zeros([1, 1], tl.int32)
            tl.store(strength_gradient + at + t + single, by_strength, t < valid)
            if CLAMP:
                by_square = rho * tl.sum(u * u, 1, keep_dims=True)
                tl.store(square_gradient + at + t + single, by_square, t < valid)
                slope += beta * by_value
            u_back += weights * f_back
            weights, kappa, beta = next_weights, next_kappa, next_beta
            v, f, u = next_v, next_f, next_u
        tl.debug_barrier()  # other threads wrote the faded ∂f
    tl.store(norm_gradient + row + tl.zeros([1, 1], tl.int32), rho)
