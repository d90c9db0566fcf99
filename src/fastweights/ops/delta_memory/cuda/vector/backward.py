"""The backward pass, with F̄ = ∂/∂F at a chunk's end, du that by its writes u, do that by what was read.

    du = (q kᵀ ∘ D)ᵀ do + after ∘ (k F̄)        F̄ ← before_C F̄ + (before ∘ q)ᵀ do - Wᵀ du
    dv = Aᵀ du        df = -dv, by what was looked up under e: a read as any, but of earlier writes alone

    dq = before ∘ (do Fᵀ) + (do uᵀ ∘ D) k       de = before ∘ (df Fᵀ) + tril(df uᵀ ∘ D, -1) k
    dk = (do uᵀ ∘ D)ᵀ q + tril(df uᵀ ∘ D, -1)ᵀ e + after ∘ (u F̄ᵀ)

`states_back` alone goes from chunk to chunk, the last first. `gates` has dα; of a decay for each feature of the key,
`channels` has all but du, dv and F̄.
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
)


@kernel
def read_back(
    attention: Pointer, gradient: Pointer, gate: Pointer, writes_gradient: Pointer, time: Number,
    V: constexpr, C: constexpr, BV: constexpr, GATED: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Leave the reads' share of du of chunk `program_id(0)` of row `program_id(1)`; `attention` is q kᵀ."""
    chunk, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, left = row * time + chunk * C, time - chunk * C
    weights = load_products(attention, row * tl.num_programs(0) + chunk, C)
    weights = tl.trans(weights * decays(gate, first, left, C, GATED))
    for block in range((V + BV - 1) // BV):
        do = load_steps(gradient, first, left, block, C, V, BV)
        store_steps(writes_gradient, dot(weights, do, P), first, left, block, C, V, BV)


@kernel
def states_back(
    queries: Pointer, keys: Pointer, W: Pointer, gradient: Pointer, before: Pointer, after: Pointer,
    totals: Pointer, final_gradient: Pointer, writes_gradient: Pointer, ends: Pointer,
    memory_gradient: Pointer, time: Number, K: constexpr, V: constexpr, C: constexpr,
    SIZE: constexpr, BV: constexpr, CHANNELS: constexpr, ERASE: constexpr, READS: constexpr,
    HAS_FINAL: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Run block `program_id(0)` of values of row `program_id(1)`: complete du, leave F̄ of every chunk, and ∂F(0)."""
    block, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    chunks, step = tl.cdiv(time, C), tl.arange(0, C)
    F = tl.zeros([SIZE, BV], before.dtype.element_ty)
    if HAS_FINAL:
        F = load_memory(final_gradient + row * K * V, 0, block, K, V, SIZE, BV)
    for back in range(chunks):
        chunk = chunks - 1 - back
        first, left, whole = row * time + chunk * C, time - chunk * C, row * chunks + chunk
        store_memory(ends + whole * K * V, F, 0, block, K, V, SIZE, BV)
        k = load_steps(keys, first, left, 0, C, K, SIZE)
        du = tl.load(after + whole * C + step)[:, None] * dot(k, F, P)
        if READS:
            du += load_steps(writes_gradient, first, left, block, C, V, BV)
        store_steps(writes_gradient, du, first, left, block, C, V, BV)
        F = load_total(before, totals, whole, K, C, SIZE, CHANNELS) * F
        if READS:
            q = load_steps(queries, first, left, 0, C, K, SIZE)
            q *= tl.load(before + whole * C + step)[:, None]
            F += dot(tl.trans(q), load_steps(gradient, first, left, block, C, V, BV), P)
        if ERASE:
            F -= dot(tl.trans(load_steps(W, first, left, 0, C, K, SIZE)), du, P)
    store_memory(memory_gradient + row * K * V, F, 0, block, K, V, SIZE, BV)


@kernel
def writes_back(
    inverse: Pointer, writes_gradient: Pointer, values_gradient: Pointer, time: Number,
    V: constexpr, C: constexpr, BV: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Leave dv of chunk `program_id(0)` of row `program_id(1)`."""
    chunk, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, left, step = row * time + chunk * C, time - chunk * C, tl.arange(0, C)
    whole = row * tl.num_programs(0) + chunk
    A = tl.load(inverse + whole * C * C + step[None, :] * C + step[:, None])
    for block in range((V + BV - 1) // BV):
        dv = dot(A, load_steps(writes_gradient, first, left, block, C, V, BV), P)
        store_steps(values_gradient, dv, first, left, block, C, V, BV)


@kernel
def query_back(
    scores: Pointer, queries: Pointer, keys: Pointer, gradient: Pointer, gate: Pointer,
    before: Pointer, borders: Pointer, queries_gradient: Pointer, start_sums: Pointer, time: Number,
    K: constexpr, V: constexpr, C: constexpr, BK: constexpr, BV: constexpr, GATED: constexpr,
    LOOKUP: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Leave dq of chunk `program_id(0)` of row `program_id(1)`, and ⟨do, q F⟩ of its steps, the gradient by `before`.

    `scores` is do uᵀ. LOOKUP: the queries are e, which sees earlier writes alone, and `gradient` is -df.
    """
    chunk, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, left, step = row * time + chunk * C, time - chunk * C, tl.arange(0, C)
    whole = row * tl.num_programs(0) + chunk
    F = borders + whole * K * V
    M = load_products(scores, whole, C) * decays(gate, first, left, C, GATED)
    if LOOKUP:
        M = tl.where(step[:, None] > step[None, :], -M, 0.0)
    start = tl.load(before + whole * C + step)
    total = tl.zeros([C], start.dtype)
    for block in range((K + BK - 1) // BK):
        held = tl.zeros([C, BK], start.dtype)
        for value_block in range((V + BV - 1) // BV):
            do = load_steps(gradient, first, left, value_block, C, V, BV)
            held += dot(do, tl.trans(load_memory(F, block, value_block, K, V, BK, BV)), P)
        if LOOKUP:
            held = -held
        if GATED:
            total += tl.sum(load_steps(queries, first, left, block, C, K, BK) * held, 1)
        dq = start[:, None] * held
        dq += dot(M, load_steps(keys, first, left, block, C, K, BK), P)
        store_steps(queries_gradient, dq, first, left, block, C, K, BK)
    if GATED:
        tl.store(start_sums + whole * C + step, total)


@kernel
def key_back(
    attention_gradient: Pointer, lookups_gradient: Pointer, queries: Pointer, erase: Pointer, keys: Pointer,
    writes: Pointer, gate: Pointer, after: Pointer, ends: Pointer, keys_gradient: Pointer,
    end_sums: Pointer, time: Number, K: constexpr, V: constexpr, C: constexpr, BK: constexpr,
    BV: constexpr, GATED: constexpr, ERASE: constexpr, READS: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Leave dk of chunk `program_id(0)` of row `program_id(1)`, and ⟨u, k F̄⟩ of its steps, the gradient by `after`."""
    chunk, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, left, step = row * time + chunk * C, time - chunk * C, tl.arange(0, C)
    whole = row * tl.num_programs(0) + chunk
    F = ends + whole * K * V
    D = decays(gate, first, left, C, GATED)
    if READS:
        M = tl.trans(load_products(attention_gradient, whole, C) * D)
    if ERASE:
        S = load_products(lookups_gradient, whole, C) * D
        S = tl.trans(tl.where(step[:, None] > step[None, :], -S, 0.0))
    end = tl.load(after + whole * C + step)
    total = tl.zeros([C], end.dtype)
    for block in range((K + BK - 1) // BK):
        held = tl.zeros([C, BK], end.dtype)
        for value_block in range((V + BV - 1) // BV):
            u = load_steps(writes, first, left, value_block, C, V, BV)
            held += dot(u, tl.trans(load_memory(F, block, value_block, K, V, BK, BV)), P)
        if GATED:
            total += tl.sum(load_steps(keys, first, left, block, C, K, BK) * held, 1)
        dk = end[:, None] * held
        if READS:
            dk += dot(M, load_steps(queries, first, left, block, C, K, BK), P)
        if ERASE:
            dk += dot(S, load_steps(erase, first, left, block, C, K, BK), P)
        store_steps(keys_gradient, dk, first, left, block, C, K, BK)
    if GATED:
        tl.store(end_sums + whole * C + step, total)
