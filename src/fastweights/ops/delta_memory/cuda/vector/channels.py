"""A decay for each feature of the key: keys with the decays in them, their products, and the gradients of both.

With Γ_t the product of α up to step t of a chunk and after_i that behind step i, features apart, the other kernels run
as where nothing decays, on Γ ∘ q, Γ ∘ e and after ∘ k, and on products that have the decays between two steps in them,

    Σ_d q_t[d] k_i[d] Π_{i<l≤t} α_l[d], i ≤ t        and of e_t, i < t

by halves: of rows of the second half of a block of 2w steps with columns of the first, (up_t ∘ q_t) · (after_i ∘ k_i)
with `up` and `after` to the borders of blocks of w, for w = 1, 2, 4 … C/2. No quotient and no logarithm: any factor is
as good as 1, 0 too. Backward, gradients by `up` and `after` of blocks of 2w become those of blocks of w, at last dα.
"""

from __future__ import annotations

import triton.language as tl

from fastweights.kernels.triton.language import (
    Number,
    Pointer,
    Tile,
    constexpr,
    dot,
    helper,
    kernel,
)
from fastweights.ops.delta_memory.cuda.vector.tiles import (
    corners,
    load_memory,
    load_products,
    load_steps,
    store_steps,
)


@helper
def load_decays(
    gate: Pointer, first: Tile, left: Tile, block: Tile, ahead: constexpr, C: constexpr,
    N: constexpr, B: constexpr,
) -> Tile:  # fmt: skip
    """Return [C, B]: α of the steps, or of so many ahead, 1 where there is none."""
    step, column = tl.arange(0, C) + ahead, block * B + tl.arange(0, B)
    there = ((step < left) & (step < C))[:, None] & (column < N)[None, :]
    return tl.load(gate + (first + step)[:, None] * N + column[None, :], there, 1.0)


@helper
def up_to(alpha: Tile, W: constexpr, C: constexpr, B: constexpr) -> Tile:
    """Return the products of α from the start of each block of W steps to each of its steps."""
    if W == 1:
        return alpha
    else:
        return tl.reshape(tl.cumprod(tl.reshape(alpha, [C // W, W, B]), 1), [C, B])


@helper
def behind(following: Tile, W: constexpr, C: constexpr, B: constexpr) -> Tile:
    """Return the products of α behind each step to the end of its block of W; `following` is α a step ahead."""
    step = tl.arange(0, C)[:, None]
    inside = tl.where((step & (W - 1)) == W - 1, 1.0, following)
    if W == 1:
        return inside
    else:
        cut = tl.reshape(inside, [C // W, W, B])
        return tl.reshape(tl.cumprod(cut, 1, reverse=True), [C, B])


@helper
def sum_blocks(x: Tile, W: constexpr, C: constexpr, B: constexpr) -> Tile:
    """Return at every step the sum over its block of W steps."""
    total = tl.sum(tl.reshape(x, [C // W, W, B]), 1, keep_dims=True)
    return tl.reshape(tl.broadcast_to(total, [C // W, W, B]), [C, B])


@helper
def halve(
    d_up: Tile, d_after: Tile, up: Tile, after: Tile, W: constexpr, C: constexpr, B: constexpr,
    AFTER: constexpr,
) -> tuple[Tile, Tile]:  # fmt: skip
    """Return the gradients by `up` and `after` of blocks of W, given those of blocks of 2 W.

    Not AFTER: nothing depends on `after`.
    """
    step = tl.arange(0, C)[:, None]
    second, last = (step & W) != 0, (step & (W - 1)) == W - 1
    ends = tl.where(last, up, 0.0)
    first_half = sum_blocks(tl.where(second, 0.0, ends), 2 * W, C, B)
    d_ends = sum_blocks(tl.where(second, d_up * up, 0.0), 2 * W, C, B)
    d_up = tl.where(second, d_up * first_half, d_up)
    d_up += tl.where(last & ((step & W) == 0), d_ends, 0.0)
    if AFTER:
        second_half = sum_blocks(tl.where(second, ends, 0.0), 2 * W, C, B)
        d_ends = sum_blocks(tl.where(second, 0.0, d_after * after), 2 * W, C, B)
        d_up += tl.where(last & second, d_ends, 0.0)
        d_after = tl.where(second, d_after, d_after * second_half)
    return d_up, d_after


@kernel
def scale(
    keys: Pointer, erase: Pointer, queries: Pointer, gate: Pointer, keys_behind: Pointer,
    erase_up: Pointer, queries_up: Pointer, totals: Pointer, time: Number, K: constexpr, C: constexpr,
    BK: constexpr, ERASE: constexpr, READS: constexpr,
) -> None:  # fmt: skip
    """Leave after ∘ k, Γ ∘ e and Γ ∘ q of a block `program_id(2)` of features, and in `totals` the chunk's whole Γ.

    Of chunk `program_id(0)` of row `program_id(1)`.
    """
    chunk, row, block = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.program_id(2)
    first, left, step = row * time + chunk * C, time - chunk * C, tl.arange(0, C)
    whole, feature = row * tl.num_programs(0) + chunk, block * BK + tl.arange(0, BK)
    up = tl.cumprod(load_decays(gate, first, left, block, 0, C, K, BK), 0)
    total = tl.sum(tl.where(step[:, None] == C - 1, up, 0.0), 0)
    tl.store(totals + whole * K + feature, total, feature < K)
    after = tl.cumprod(load_decays(gate, first, left, block, 1, C, K, BK), 0, reverse=True)
    k = load_steps(keys, first, left, block, C, K, BK)
    store_steps(keys_behind, after * k, first, left, block, C, K, BK)
    if ERASE:
        e = load_steps(erase, first, left, block, C, K, BK)
        store_steps(erase_up, up * e, first, left, block, C, K, BK)
    if READS:
        q = load_steps(queries, first, left, block, C, K, BK)
        store_steps(queries_up, up * q, first, left, block, C, K, BK)


@kernel
def pair(
    queries: Pointer, keys: Pointer, gate: Pointer, products: Pointer, time: Number, K: constexpr,
    C: constexpr, LEVELS: constexpr, BK: constexpr, LOOKUP: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Leave the products of chunk `program_id(0)` of row `program_id(1)`, [rows, chunks, C, C].

    LOOKUP: the queries are e, which sees earlier writes alone.
    """
    chunk, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, left, step = row * time + chunk * C, time - chunk * C, tl.arange(0, C)
    same = step[:, None] == step[None, :]
    M = tl.zeros([C, C], keys.dtype.element_ty)
    for block in range((K + BK - 1) // BK):
        q = load_steps(queries, first, left, block, C, K, BK)
        k = load_steps(keys, first, left, block, C, K, BK)
        alpha = load_decays(gate, first, left, block, 0, C, K, BK)
        following = load_decays(gate, first, left, block, 1, C, K, BK)
        if not LOOKUP:
            M += tl.where(same, tl.sum(q * k, 1)[:, None], 0.0)
        for level in tl.static_range(LEVELS):
            row_side = up_to(alpha, 1 << level, C, BK) * q
            column_side = behind(following, 1 << level, C, BK) * k
            found = dot(row_side, tl.trans(column_side), P)
            M += tl.where(corners(1 << level, C), found, 0.0)
    whole = row * tl.num_programs(0) + chunk
    tl.store(products + whole * C * C + step[:, None] * C + step[None, :], M)


@kernel
def memory_back(
    gradient: Pointer, memories: Pointer, through: Pointer, time: Number, K: constexpr,
    V: constexpr, C: constexpr, BK: constexpr, BV: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Leave x Fᵀ of the steps of chunk `program_id(0)` of row `program_id(1)`, x of values, F of the chunk."""
    chunk, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, left = row * time + chunk * C, time - chunk * C
    F = memories + (row * tl.num_programs(0) + chunk) * K * V
    for block in range((K + BK - 1) // BK):
        held = tl.zeros([C, BK], gradient.dtype.element_ty)
        for value_block in range((V + BV - 1) // BV):
            x = load_steps(gradient, first, left, value_block, C, V, BV)
            held += dot(x, tl.trans(load_memory(F, block, value_block, K, V, BK, BV)), P)
        store_steps(through, held, first, left, block, C, K, BK)


@kernel
def scale_back(
    keys: Pointer, erase: Pointer, queries: Pointer, gate: Pointer, keys_through: Pointer,
    erase_through: Pointer, queries_through: Pointer, totals_gradient: Pointer, keys_gradient: Pointer,
    erase_gradient: Pointer, queries_gradient: Pointer, gate_gradient: Pointer, time: Number,
    K: constexpr, C: constexpr, LEVELS: constexpr, BK: constexpr, ERASE: constexpr,
    READS: constexpr, WANTED: constexpr,
) -> None:  # fmt: skip
    """Leave the shares of dk, de, dq and dα that come by what `scale` left; a program for each of its programs.

    `through` are the gradients by what it left, x Fᵀ; that of e is negative.
    """
    chunk, row, block = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.program_id(2)
    first, left, step = row * time + chunk * C, time - chunk * C, tl.arange(0, C)[:, None]
    whole, feature = row * tl.num_programs(0) + chunk, block * BK + tl.arange(0, BK)
    alpha = load_decays(gate, first, left, block, 0, C, K, BK)
    following = load_decays(gate, first, left, block, 1, C, K, BK)
    up, after = tl.cumprod(alpha, 0), tl.cumprod(following, 0, reverse=True)
    total = tl.load(totals_gradient + whole * K + feature, feature < K, 0.0)
    d_up = tl.where(step == C - 1, total[None, :], 0.0)
    through = load_steps(keys_through, first, left, block, C, K, BK)
    store_steps(keys_gradient, after * through, first, left, block, C, K, BK)
    d_after = load_steps(keys, first, left, block, C, K, BK) * through
    if ERASE:
        through = -load_steps(erase_through, first, left, block, C, K, BK)
        store_steps(erase_gradient, up * through, first, left, block, C, K, BK)
        d_up += load_steps(erase, first, left, block, C, K, BK) * through
    if READS:
        through = load_steps(queries_through, first, left, block, C, K, BK)
        store_steps(queries_gradient, up * through, first, left, block, C, K, BK)
        d_up += load_steps(queries, first, left, block, C, K, BK) * through
    if WANTED:
        for back in tl.static_range(LEVELS):
            up = up_to(alpha, 1 << (LEVELS - 1 - back), C, BK)
            after = behind(following, 1 << (LEVELS - 1 - back), C, BK)
            d_up, d_after = halve(d_up, d_after, up, after, 1 << (LEVELS - 1 - back), C, BK, True)
        store_steps(gate_gradient, d_up, first, left, block, C, K, BK)


@kernel
def pair_back(
    products_gradient: Pointer, queries: Pointer, keys: Pointer, gate: Pointer, share: Pointer,
    gate_share: Pointer, gradient: Pointer, gate_gradient: Pointer, time: Number, K: constexpr,
    C: constexpr, LEVELS: constexpr, BK: constexpr, BY_KEYS: constexpr, LOOKUP: constexpr,
    WANTED: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Add to shares of dq and dα what comes by `pair`'s products; BY_KEYS: to those of dk and dα.

    A program for each of `scale`. LOOKUP: the queries are e, and `products_gradient` is negative.
    """
    chunk, row, block = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.program_id(2)
    first, left, step = row * time + chunk * C, time - chunk * C, tl.arange(0, C)
    G = load_products(products_gradient, row * tl.num_programs(0) + chunk, C)
    q = load_steps(queries, first, left, block, C, K, BK)
    k = load_steps(keys, first, left, block, C, K, BK)
    alpha = load_decays(gate, first, left, block, 0, C, K, BK)
    following = load_decays(gate, first, left, block, 1, C, K, BK)
    if LOOKUP:
        G = -G
        dx = tl.zeros([C, BK], k.dtype)
    else:
        same = tl.sum(tl.where(step[:, None] == step[None, :], G, 0.0), 1)[:, None]
        dx = same * (q if BY_KEYS else k)
    d_up, d_after = tl.zeros([C, BK], k.dtype), tl.zeros([C, BK], k.dtype)
    for back in tl.static_range(LEVELS):
        up = up_to(alpha, 1 << (LEVELS - 1 - back), C, BK)
        after = behind(following, 1 << (LEVELS - 1 - back), C, BK)
        if WANTED:
            d_up, d_after = halve(
                d_up, d_after, up, after, 1 << (LEVELS - 1 - back), C, BK, BY_KEYS
            )
        corner = tl.where(corners(1 << (LEVELS - 1 - back), C), G, 0.0)
        if BY_KEYS:
            found = dot(tl.trans(corner), up * q, P)
            dx += after * found
            d_after += k * found
        else:
            found = dot(corner, after * k, P)
            dx += up * found
            d_up += q * found
    dx += load_steps(share, first, left, block, C, K, BK)
    store_steps(gradient, dx, first, left, block, C, K, BK)
    if WANTED:
        d_up += load_steps(gate_share, first, left, block, C, K, BK)
        store_steps(gate_gradient, d_up, first, left, block, C, K, BK)
