"""The parallel kernels of the forward. Grids are (rows, blocks); see `README.md` for the equations and the order.

`at` counts the steps of all rows in sequences, `place` in scratch, whose rows are padded to whole blocks.
"""

from __future__ import annotations

from fastweights.kernels.triton.language import Number, Pointer, constexpr, dot, kernel, tl
from fastweights.ops.delta_memory.cuda.product.tiles import (
    contract,
    load_before,
    load_block,
    load_column,
    load_decay,
    load_part,
    store_block,
)


@kernel
def find(
    start: Pointer, outer_key: Pointer, inner_key: Pointer, found: Pointer, total: Number, first: Number,
    steps: Number, OUTER: constexpr, INNER: constexpr, SI: constexpr, VALUE: constexpr, SV: constexpr, C: constexpr,
    P: constexpr,
) -> None:  # fmt: skip
    """found = F(0) k."""
    row, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at, valid = row * total + first + block * C, steps - block * C
    inner = load_block(inner_key, at, valid, 0, 1, INNER, SI, C)
    memory = start + row * (OUTER * INNER * VALUE)
    tile = contract(memory, outer_key, inner, at, valid, 0, 1, OUTER, INNER, SI, VALUE, SV, C, P)
    store_block(found, at, valid, 0, 1, VALUE, SV, C, tile)


@kernel
def multiply_keys(
    outer_key: Pointer, inner_key: Pointer, decay: Pointer, products: Pointer, total: Number, first: Number,
    steps: Number, OUTER: constexpr, SO: constexpr, INNER: constexpr, SI: constexpr, C: constexpr, FADED: constexpr,
    P: constexpr,
) -> None:  # fmt: skip
    """K_ti = ⟨k_t, k_i⟩ of the blocks i ≤ t, grid (rows, blocks, blocks); FADED: times D_{t-1,i} below the diagonal."""
    row, block, past = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.program_id(2)
    width = tl.num_programs(1) * C
    if past <= block:
        at, valid = row * total + first, steps - block * C
        x = load_block(outer_key, at + block * C, valid, 0, 1, OUTER, SO, C)
        y = load_block(outer_key, at + past * C, steps - past * C, 0, 1, OUTER, SO, C)
        tile = dot(x, tl.trans(y), P)
        x = load_block(inner_key, at + block * C, valid, 0, 1, INNER, SI, C)
        y = load_block(inner_key, at + past * C, steps - past * C, 0, 1, INNER, SI, C)
        tile *= dot(x, tl.trans(y), P)
        step, write = tl.arange(0, C)[:, None], tl.arange(0, C)[None, :]
        if FADED:
            fading = load_decay(decay, row * width + block * C, C, True)
            here = tl.where(write == step, tile, tile * fading)
            tile = tl.where(past == block, here, tile)
        place = products + (row * width + block * C) * width + past * C
        tl.store(place + step * width + write, tile)


@kernel
def accumulate_decay(
    factors: Pointer, decay: Pointer, before: Pointer, tail: Pointer, whole: Pointer, total: Number, first: Number,
    steps: Number, C: constexpr,
) -> None:  # fmt: skip
    """Of a block's factors a: D_ti = Π a_i…a_t, before = Π a_0…a_t, tail = Π a_t…a_C, and the product of all."""
    row, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at, valid = row * total + first + block * C, steps - block * C
    place = (row * tl.num_programs(1) + block) * C
    step, write = tl.arange(0, C)[:, None], tl.arange(0, C)[None, :]
    a = tl.load(factors + at + step, step < valid, 1.0)
    tl.store(before + place + step, tl.cumprod(a, 0))
    after = tl.cumprod(a, 0, reverse=True)
    tl.store(tail + place + step, after)
    tl.store(whole + row * tl.num_programs(1) + block + step, after, step == 0)
    products = tl.cumprod(tl.where(step >= write, a, 1.0), 0)
    tl.store(decay + (place + step) * C + write, tl.where(step >= write, products, 0.0))


@kernel
def read(
    start: Pointer, outer_query: Pointer, inner_query: Pointer, outer_key: Pointer, inner_key: Pointer, writes: Pointer,
    tailed: Pointer, decay: Pointer, before: Pointer, whole: Pointer, out: Pointer, scale: Pointer, total: Number,
    first: Number, steps: Number, link: Number, out_link: Number, LINKS: constexpr, OUT_LINKS: constexpr,
    OUTER: constexpr, SO: constexpr, INNER: constexpr, SI: constexpr, VALUE: constexpr, SV: constexpr, C: constexpr,
    CARRIED: constexpr, NORM: constexpr, EPS: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """out = LN(F (n ⊗ e)), one link of the chain of reads; scale = 1/σ."""
    row, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at, valid = row * total + first, steps - block * C
    here, blocks = at + block * C, tl.num_programs(1)
    place = (row * blocks + block) * C
    n = load_block(outer_query, here, valid, link, LINKS, OUTER, SO, C)
    e = load_block(inner_query, here, valid, link, LINKS, INNER, SI, C)
    x = tl.zeros([C, SV], out.dtype.element_ty)
    between = tl.full([1, 1], 1.0, out.dtype.element_ty)
    for back in range(1, block + 1):
        past = block - back
        there = at + past * C
        keys = load_block(outer_key, there, C, 0, 1, OUTER, SO, C)
        attention = dot(n, tl.trans(keys), P)
        keys = load_block(inner_key, there, C, 0, 1, INNER, SI, C)
        attention *= dot(e, tl.trans(keys), P)
        x += between * dot(attention, load_block(tailed, there, C, 0, 1, VALUE, SV, C), P)
        between *= tl.load(whole + row * blocks + past)
    if CARRIED:
        memory = start + row * (OUTER * INNER * VALUE)
        x += between * contract(
            memory, outer_query, e, here, valid, link, LINKS, OUTER, INNER, SI, VALUE, SV, C, P
        )
    x *= load_before(before, place, valid, C, False)
    keys = load_block(outer_key, here, valid, 0, 1, OUTER, SO, C)
    attention = dot(n, tl.trans(keys), P)
    keys = load_block(inner_key, here, valid, 0, 1, INNER, SI, C)
    attention *= dot(e, tl.trans(keys), P) * load_decay(decay, place, C, False)
    x += dot(attention, load_block(writes, here, valid, 0, 1, VALUE, SV, C), P)
    if NORM:
        inside = tl.arange(0, SV)[None, :] < VALUE
        x = tl.where(inside, x - tl.sum(x, 1, keep_dims=True) / VALUE, 0.0)
        sigma = 1.0 / tl.sqrt(tl.sum(x * x, 1, keep_dims=True) / VALUE + EPS)
        x *= sigma
        step = tl.arange(0, C)[:, None]
        tl.store(scale + (here + step) * LINKS + link, sigma, step < valid)
    store_block(out, here, valid, out_link, OUT_LINKS, VALUE, SV, C, x)


@kernel
def end(
    start: Pointer, outer_key: Pointer, inner_key: Pointer, tailed: Pointer, whole: Pointer, final: Pointer,
    total: Number, first: Number, steps: Number, blocks: Number, OUTER: constexpr, INNER: constexpr, SI: constexpr,
    VALUE: constexpr, SV: constexpr, C: constexpr, CARRIED: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """F after the last step, F[i] of outer feature i: grid (rows, outer)."""
    row, i = tl.program_id(0).to(tl.int64), tl.program_id(1)
    memory = tl.zeros([SI, SV], final.dtype.element_ty)
    between = tl.full([1, 1], 1.0, final.dtype.element_ty)
    for back in range(1, blocks + 1):
        past = blocks - back
        at, valid = row * total + first + past * C, steps - past * C
        keys = load_block(inner_key, at, valid, 0, 1, INNER, SI, C)
        keys *= load_column(outer_key, at, valid, 0, i, 1, OUTER, C)
        memory += between * dot(
            tl.trans(keys), load_block(tailed, at, valid, 0, 1, VALUE, SV, C), P
        )
        between *= tl.load(whole + row * blocks + past)
    part = row * (OUTER * INNER * VALUE) + i * (INNER * VALUE)
    if CARRIED:
        memory += between * load_part(start + part, 0, INNER, SI, VALUE, SV)
    inner, value = tl.arange(0, SI)[:, None], tl.arange(0, SV)[None, :]
    tl.store(final + part + inner * VALUE + value, memory, (inner < INNER) & (value < VALUE))
