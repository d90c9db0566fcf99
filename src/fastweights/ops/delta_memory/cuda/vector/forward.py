"""The forward pass in chunks of C steps: what each writes, F at its start, and what is read.

    (I + L) u = v - before ∘ (e F)          L = tril(e kᵀ ∘ D, -1)              e, what a write takes away; v = β v
    F ← before_C F + (after ∘ k)ᵀ u         o = before ∘ (q F) + (q kᵀ ∘ D) u

With A = (I + L)⁻¹, `prepare` makes W = A (before ∘ e) and Z = A v for all chunks at once; only u = Z - W F and F go
from chunk to chunk, in `states`, a program a block of values; `read` is parallel again. Nothing erased: u = v.

With a decay for each feature of the key, k, e and q come with their decays in them (`channels`), and all is as where
α = 1, but for F, each of whose rows decays by itself.
"""

from __future__ import annotations

import triton.language as tl

from fastweights.kernels.triton.language import Number, Pointer, constexpr, dot, kernel
from fastweights.ops.delta_memory.cuda.vector.tiles import (
    decays,
    load_memory,
    load_products,
    load_steps,
    load_total,
    store_memory,
    store_steps,
    unit_inverse,
)


@kernel
def decay(
    gate: Pointer, before: Pointer, after: Pointer, time: Number, C: constexpr, GATED: constexpr
) -> None:
    """Leave `before` and `after` of chunk `program_id(0)` of row `program_id(1)`, [rows, chunks, C]."""
    chunk, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, left, step = row * time + chunk * C, time - chunk * C, tl.arange(0, C)
    place = (row * tl.num_programs(0) + chunk) * C + step
    D = decays(gate, first, left, C, GATED)
    tl.store(after + place, tl.sum(tl.where(step[:, None] == C - 1, D, 0.0), 0))
    start = tl.sum(tl.where(step[None, :] == 0, D, 0.0), 1)
    if GATED:
        start *= tl.load(gate + first)
    tl.store(before + place, start)


@kernel
def prepare(
    lookups: Pointer, erase: Pointer, values: Pointer, gate: Pointer, before: Pointer,
    inverse: Pointer, W: Pointer, Z: Pointer, time: Number, K: constexpr, V: constexpr, C: constexpr,
    LEVELS: constexpr, BK: constexpr, BV: constexpr, GATED: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Leave A, W and Z of chunk `program_id(0)` of row `program_id(1)`; `lookups` are e kᵀ."""
    chunk, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, left, step = row * time + chunk * C, time - chunk * C, tl.arange(0, C)
    whole = row * tl.num_programs(0) + chunk
    L = load_products(lookups, whole, C) * decays(gate, first, left, C, GATED)
    L = tl.where(step[:, None] > step[None, :], L, 0.0)
    A = unit_inverse(L, C, LEVELS, P)
    tl.store(inverse + whole * C * C + step[:, None] * C + step[None, :], A)
    start = tl.load(before + whole * C + step)
    for block in range((K + BK - 1) // BK):
        e = load_steps(erase, first, left, block, C, K, BK)
        store_steps(W, dot(A, start[:, None] * e, P), first, left, block, C, K, BK)
    for block in range((V + BV - 1) // BV):
        v = load_steps(values, first, left, block, C, V, BV)
        store_steps(Z, dot(A, v, P), first, left, block, C, V, BV)


@kernel
def states(
    keys: Pointer, W: Pointer, Z: Pointer, before: Pointer, after: Pointer, totals: Pointer,
    memory: Pointer, writes: Pointer, borders: Pointer, final: Pointer, time: Number, K: constexpr,
    V: constexpr, C: constexpr, SIZE: constexpr, BV: constexpr, CHANNELS: constexpr,
    ERASE: constexpr, HAS_MEMORY: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Run block `program_id(0)` of values of row `program_id(1)`: leave u, F at every chunk's start, and the last."""
    block, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    chunks, step = tl.cdiv(time, C), tl.arange(0, C)
    F = tl.zeros([SIZE, BV], before.dtype.element_ty)
    if HAS_MEMORY:
        F = load_memory(memory + row * K * V, 0, block, K, V, SIZE, BV)
    for chunk in range(chunks):
        first, left, whole = row * time + chunk * C, time - chunk * C, row * chunks + chunk
        store_memory(borders + whole * K * V, F, 0, block, K, V, SIZE, BV)
        u = load_steps(Z, first, left, block, C, V, BV)
        if ERASE:
            u -= dot(load_steps(W, first, left, 0, C, K, SIZE), F, P)
            store_steps(writes, u, first, left, block, C, V, BV)
        k = load_steps(keys, first, left, 0, C, K, SIZE)
        k *= tl.load(after + whole * C + step)[:, None]
        kept = load_total(before, totals, whole, K, C, SIZE, CHANNELS)
        F = kept * F + dot(tl.trans(k), u, P)
    store_memory(final + row * K * V, F, 0, block, K, V, SIZE, BV)


@kernel
def read(
    attention: Pointer, queries: Pointer, writes: Pointer, gate: Pointer, before: Pointer,
    borders: Pointer, outputs: Pointer, time: Number, K: constexpr, V: constexpr, C: constexpr,
    BK: constexpr, BV: constexpr, GATED: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Leave o of chunk `program_id(0)` of row `program_id(1)`; `attention` is q kᵀ."""
    chunk, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, left = row * time + chunk * C, time - chunk * C
    whole = row * tl.num_programs(0) + chunk
    F = borders + whole * K * V
    weights = load_products(attention, whole, C) * decays(gate, first, left, C, GATED)
    start = tl.load(before + whole * C + tl.arange(0, C))
    for block in range((V + BV - 1) // BV):
        held = tl.zeros([C, BV], start.dtype)
        for key_block in range((K + BK - 1) // BK):
            q = load_steps(queries, first, left, key_block, C, K, BK)
            held += dot(q, load_memory(F, key_block, block, K, V, BK, BV), P)
        u = load_steps(writes, first, left, block, C, V, BV)
        found = start[:, None] * held + dot(weights, u, P)
        store_steps(outputs, found, first, left, block, C, V, BV)
