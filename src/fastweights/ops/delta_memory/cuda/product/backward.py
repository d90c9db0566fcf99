"""The parallel kernels of the backward; see `README.md` for the equations and the order.

A read x = F_t (n ⊗ e) takes D_ti ⟨n, k1_i⟩ ⟨e, k2_i⟩ u_i of every write i, and of F(0) what it has decayed to. Its
gradient ∂x goes to the query's factors (`query_back`), to the key's (`key_back`) and to u (`gradient_of_writes`).
What a write finds under its own key is a read with that key before the write, STRICT: the same kernels, ∂f for ∂x.
Each product of a factor's gradient is a kernel of its own: two at once do not fit the registers.
"""

from __future__ import annotations

from fastweights.kernels.triton.language import Number, Pointer, constexpr, dot, kernel, tl
from fastweights.ops.delta_memory.cuda.product.tiles import (
    contract,
    contract_inner_back,
    contract_outer_back,
    load_before,
    load_block,
    load_column,
    load_decay,
    load_part,
    store_block,
)


@kernel
def normalise_back(
    received: Pointer, out: Pointer, scale: Pointer, flow: Pointer, gradient: Pointer, total: Number,
    first: Number, steps: Number, link: Number, out_link: Number, LINKS: constexpr, OUT_LINKS: constexpr,
    VALUE: constexpr, SV: constexpr, C: constexpr, NORM: constexpr, FLOWS: constexpr, LAST: constexpr,
    EPS: constexpr,
) -> None:  # fmt: skip
    """∂x from ∂n, and ∂ℓ of its step: −⟨∂x, x⟩, which with LN is −⟨∂n, n⟩ ε/σ². Grid (rows, blocks)."""
    row, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at, valid = row * total + first + block * C, steps - block * C
    g = load_block(received, at, valid, 0, 1, VALUE, SV, C)
    n = load_block(out, at, valid, out_link, OUT_LINKS, VALUE, SV, C)
    step = tl.arange(0, C)[:, None]
    slope = tl.sum(g * n, 1, keep_dims=True)
    along = slope
    if NORM:
        sigma = tl.load(scale + (at + step) * LINKS + link, step < valid, 0.0)
        along = slope * (EPS * sigma * sigma)
        inside = tl.arange(0, SV)[None, :] < VALUE
        # Before σ, which may be large: of one feature exactly 0.
        g = (
            tl.where(inside, g - tl.sum(g, 1, keep_dims=True) / VALUE - n * (slope / VALUE), 0.0)
            * sigma
        )
    store_block(gradient, at, valid, link, LINKS, VALUE, SV, C, g)
    if FLOWS:
        if LAST:
            tl.store(flow + at + step, -along, step < valid)
        else:
            before = tl.load(flow + at + step, step < valid, 0.0)
            tl.store(flow + at + step, before - along, step < valid)


@kernel
def query_back(
    start: Pointer, gradient: Pointer, outer_query: Pointer, inner_query: Pointer, own_key: Pointer,
    other_key: Pointer, writes: Pointer, tailed: Pointer, decay: Pointer, before: Pointer, whole: Pointer,
    back: Pointer, total: Number, first: Number, steps: Number, link: Number, LINKS: constexpr,
    BACK_LINKS: constexpr, OUTER: constexpr, SO: constexpr, INNER: constexpr, SI: constexpr, VALUE: constexpr,
    SV: constexpr, C: constexpr, BY_OUTER: constexpr, CARRIED: constexpr, STRICT: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """The gradient of reads by one factor of their queries. Grid (rows, blocks, links), from `link` on.

    STRICT: added to what is there.
    """
    row, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    blocks, link = tl.num_programs(1), link + tl.program_id(2)
    at, valid = row * total + first, steps - block * C
    here = at + block * C
    place = (row * blocks + block) * C
    OWN: constexpr = OUTER if BY_OUTER else INNER
    S: constexpr = SO if BY_OUTER else SI
    OTHER: constexpr = INNER if BY_OUTER else OUTER
    T: constexpr = SI if BY_OUTER else SO
    x_back = load_block(gradient, here, valid, link, LINKS, VALUE, SV, C)
    if BY_OUTER:
        other = load_block(inner_query, here, valid, link, LINKS, OTHER, T, C)
    else:
        other = load_block(outer_query, here, valid, link, LINKS, OTHER, T, C)
    result = tl.zeros([C, S], back.dtype.element_ty)
    between = tl.full([1, 1], 1.0, back.dtype.element_ty)
    for turn in range(1, block + 1):
        past = block - turn
        there = at + past * C
        weights = dot(x_back, tl.trans(load_block(tailed, there, C, 0, 1, VALUE, SV, C)), P)
        weights *= dot(other, tl.trans(load_block(other_key, there, C, 0, 1, OTHER, T, C)), P)
        result += between * dot(weights, load_block(own_key, there, C, 0, 1, OWN, S, C), P)
        between *= tl.load(whole + row * blocks + past)
    if CARRIED:
        memory = start + row * (OUTER * INNER * VALUE)
        if BY_OUTER:
            result += between * contract_outer_back(
                memory, x_back, other, OUTER, SO, INNER, SI, VALUE, SV, C, P
            )
        else:
            result += between * contract_inner_back(
                memory, x_back, outer_query, here, valid, link, LINKS, OUTER, INNER, SI, VALUE, SV, C, P
            )  # fmt: skip
    result *= load_before(before, place, valid, C, STRICT)
    weights = dot(x_back, tl.trans(load_block(writes, here, valid, 0, 1, VALUE, SV, C)), P)
    weights *= dot(other, tl.trans(load_block(other_key, here, valid, 0, 1, OTHER, T, C)), P)
    weights *= load_decay(decay, place, C, STRICT)
    result += dot(weights, load_block(own_key, here, valid, 0, 1, OWN, S, C), P)
    if STRICT:
        result += load_block(back, here, valid, 0, 1, OWN, S, C)
    store_block(back, here, valid, tl.program_id(2), BACK_LINKS, OWN, S, C, result)


@kernel
def key_back(
    end_gradient: Pointer, gradient: Pointer, own_query: Pointer, other_query: Pointer, outer_key: Pointer,
    inner_key: Pointer, writes: Pointer, tailed: Pointer, decay: Pointer, before: Pointer, whole: Pointer,
    back: Pointer, total: Number, first: Number, steps: Number, LINKS: constexpr, OUTER: constexpr, SO: constexpr,
    INNER: constexpr, SI: constexpr, VALUE: constexpr, SV: constexpr, C: constexpr, BY_OUTER: constexpr,
    ENDS: constexpr, STRICT: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """The gradient of reads, and of F at the end, by one factor of the keys. Grid (rows, blocks).

    STRICT: added to what is there.
    """
    row, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    blocks = tl.num_programs(1)
    at, valid = row * total + first, steps - block * C
    here = at + block * C
    OWN: constexpr = OUTER if BY_OUTER else INNER
    S: constexpr = SO if BY_OUTER else SI
    OTHER: constexpr = INNER if BY_OUTER else OUTER
    T: constexpr = SI if BY_OUTER else SO
    other_key = inner_key if BY_OUTER else outer_key
    other = load_block(other_key, here, valid, 0, 1, OTHER, T, C)
    u = load_block(tailed, here, valid, 0, 1, VALUE, SV, C)
    result = tl.zeros([C, S], back.dtype.element_ty)
    between = tl.full([1, 1], 1.0, back.dtype.element_ty)
    for later in range(block + 1, blocks):
        there, left = at + later * C, steps - later * C
        read_at = between * load_before(before, (row * blocks + later) * C, left, C, STRICT)
        for link in range(LINKS):
            x_back = read_at * load_block(gradient, there, left, link, LINKS, VALUE, SV, C)
            weights = dot(u, tl.trans(x_back), P)
            query = load_block(other_query, there, left, link, LINKS, OTHER, T, C)
            weights *= dot(other, tl.trans(query), P)
            result += dot(weights, load_block(own_query, there, left, link, LINKS, OWN, S, C), P)
        between *= tl.load(whole + row * blocks + later)
    if ENDS:
        memory = end_gradient + row * (OUTER * INNER * VALUE)
        u *= between
        if BY_OUTER:
            result += contract_outer_back(memory, u, other, OUTER, SO, INNER, SI, VALUE, SV, C, P)
        else:
            result += contract_inner_back(
                memory, u, outer_key, here, valid, 0, 1, OUTER, INNER, SI, VALUE, SV, C, P
            )
    u = load_block(writes, here, valid, 0, 1, VALUE, SV, C)
    fading = tl.trans(load_decay(decay, (row * blocks + block) * C, C, STRICT))
    for link in range(LINKS):
        x_back = load_block(gradient, here, valid, link, LINKS, VALUE, SV, C)
        weights = dot(u, tl.trans(x_back), P) * fading
        query = load_block(other_query, here, valid, link, LINKS, OTHER, T, C)
        weights *= dot(other, tl.trans(query), P)
        result += dot(weights, load_block(own_query, here, valid, link, LINKS, OWN, S, C), P)
    if STRICT:
        result += load_block(back, here, valid, 0, 1, OWN, S, C)
    store_block(back, here, valid, 0, 1, OWN, S, C, result)


@kernel
def gradient_of_writes(
    end_gradient: Pointer, gradient: Pointer, outer_query: Pointer, inner_query: Pointer, outer_key: Pointer,
    inner_key: Pointer, decay: Pointer, before: Pointer, tail: Pointer, whole: Pointer, back: Pointer, total: Number,
    first: Number, steps: Number, LINKS: constexpr, OUTER: constexpr, SO: constexpr, INNER: constexpr,
    SI: constexpr, VALUE: constexpr, SV: constexpr, C: constexpr, ENDS: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """∂u of reads and of F at the end. Grid (rows, blocks)."""
    row, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    blocks = tl.num_programs(1)
    at, valid = row * total + first, steps - block * C
    here = at + block * C
    place = (row * blocks + block) * C
    outer = load_block(outer_key, here, valid, 0, 1, OUTER, SO, C)
    inner = load_block(inner_key, here, valid, 0, 1, INNER, SI, C)
    result = tl.zeros([C, SV], back.dtype.element_ty)
    between = tl.full([1, 1], 1.0, back.dtype.element_ty)
    for later in range(block + 1, blocks):
        there, left = at + later * C, steps - later * C
        read_at = between * load_before(before, (row * blocks + later) * C, left, C, False)
        for link in range(LINKS):
            query = load_block(outer_query, there, left, link, LINKS, OUTER, SO, C)
            attention = dot(outer, tl.trans(query), P)
            query = load_block(inner_query, there, left, link, LINKS, INNER, SI, C)
            attention *= dot(inner, tl.trans(query), P)
            x_back = read_at * load_block(gradient, there, left, link, LINKS, VALUE, SV, C)
            result += dot(attention, x_back, P)
        between *= tl.load(whole + row * blocks + later)
    if ENDS:
        memory = end_gradient + row * (OUTER * INNER * VALUE)
        result += between * contract(
            memory, outer_key, inner, here, valid, 0, 1, OUTER, INNER, SI, VALUE, SV, C, P
        )
    result *= tl.load(tail + place + tl.arange(0, C)[:, None])
    fading = tl.trans(load_decay(decay, place, C, False))
    for link in range(LINKS):
        query = load_block(outer_query, here, valid, link, LINKS, OUTER, SO, C)
        attention = dot(outer, tl.trans(query), P) * fading
        query = load_block(inner_query, here, valid, link, LINKS, INNER, SI, C)
        attention *= dot(inner, tl.trans(query), P)
        x_back = load_block(gradient, here, valid, link, LINKS, VALUE, SV, C)
        result += dot(attention, x_back, P)
    store_block(back, here, valid, 0, 1, VALUE, SV, C, result)


@kernel
def squares_back(
    square_gradient: Pointer, outer_key: Pointer, inner_key: Pointer, outer_back: Pointer, inner_back: Pointer,
    total: Number, first: Number, steps: Number, OUTER: constexpr, SO: constexpr, INNER: constexpr, SI: constexpr,
    C: constexpr,
) -> None:  # fmt: skip
    """Add the gradient of κ = ‖k1‖² ‖k2‖² to those of the keys. Grid (rows, blocks)."""
    row, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at, valid = row * total + first + block * C, steps - block * C
    step = tl.arange(0, C)[:, None]
    twice = 2.0 * tl.load(square_gradient + at + step, step < valid, 0.0)
    outer = load_block(outer_key, at, valid, 0, 1, OUTER, SO, C)
    inner = load_block(inner_key, at, valid, 0, 1, INNER, SI, C)
    result = load_block(outer_back, at, valid, 0, 1, OUTER, SO, C)
    result += twice * tl.sum(inner * inner, 1, keep_dims=True) * outer
    store_block(outer_back, at, valid, 0, 1, OUTER, SO, C, result)
    result = load_block(inner_back, at, valid, 0, 1, INNER, SI, C)
    result += twice * tl.sum(outer * outer, 1, keep_dims=True) * inner
    store_block(inner_back, at, valid, 0, 1, INNER, SI, C, result)


@kernel
def start_back(
    start: Pointer, end_gradient: Pointer, norm_gradient: Pointer, gradient: Pointer, outer_query: Pointer,
    inner_query: Pointer, found_gradient: Pointer, outer_key: Pointer, inner_key: Pointer, before: Pointer,
    whole: Pointer, back: Pointer, total: Number, first: Number, steps: Number, blocks: Number, LINKS: constexpr,
    OUTER: constexpr, INNER: constexpr, SI: constexpr, VALUE: constexpr, SV: constexpr, C: constexpr,
    ENDS: constexpr, CLAMP: constexpr, FINDS: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """The gradient by F(0)[i] of outer feature i: grid (rows, outer)."""
    row, i = tl.program_id(0).to(tl.int64), tl.program_id(1)
    result = tl.zeros([SI, SV], back.dtype.element_ty)
    kept = tl.full([1, 1], 1.0, back.dtype.element_ty)
    for block in range(blocks):
        at, valid = row * total + first + block * C, steps - block * C
        place = (row * blocks + block) * C
        read_at = kept * load_before(before, place, valid, C, False)
        for link in range(LINKS):
            query = load_block(inner_query, at, valid, link, LINKS, INNER, SI, C)
            query *= read_at * load_column(outer_query, at, valid, link, i, LINKS, OUTER, C)
            x_back = load_block(gradient, at, valid, link, LINKS, VALUE, SV, C)
            result += dot(tl.trans(query), x_back, P)
        if FINDS:
            key = load_block(inner_key, at, valid, 0, 1, INNER, SI, C)
            key *= kept * load_before(before, place, valid, C, True)
            key *= load_column(outer_key, at, valid, 0, i, 1, OUTER, C)
            f_back = load_block(found_gradient, at, valid, 0, 1, VALUE, SV, C)
            result += dot(tl.trans(key), f_back, P)
        kept *= tl.load(whole + row * blocks + block)
    part = row * (OUTER * INNER * VALUE) + i * (INNER * VALUE)
    if ENDS:
        result += kept * load_part(end_gradient + part, 0, INNER, SI, VALUE, SV)
    if CLAMP:
        rho = tl.load(norm_gradient + row)
        result += 2.0 * rho * load_part(start + part, 0, INNER, SI, VALUE, SV)
    inner, value = tl.arange(0, SI)[:, None], tl.arange(0, SV)[None, :]
    tl.store(back + part + inner * VALUE + value, result, (inner < INNER) & (value < VALUE))
