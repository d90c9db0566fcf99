"""What the kernels share: tiles of a chunk's steps, decays between its steps, and the inverse of its triangle.

A chunk has C steps; those after the sequence's end have zeros, and α = 1. Cumulative decays are products of α, with no
quotient and no logarithm, so that 0 and negative numbers are as good as any:

    D_ti = α_{i+1} … α_t for i ≤ t, else 0          before_t = α_1 … α_t          after_i = α_{i+1} … α_C
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


@helper
def load_steps(
    x: Pointer, first: Tile, left: Tile, block: Tile, C: constexpr, N: constexpr, B: constexpr,
) -> Tile:  # fmt: skip
    """Return [C, B]: columns block · B … of the steps from `first` on, of which `left` are there, of x [steps, N]."""
    step, column = tl.arange(0, C), block * B + tl.arange(0, B)
    there = (step < left)[:, None] & (column < N)[None, :]
    return tl.load(x + (first + step)[:, None] * N + column[None, :], there, 0.0)


@helper
def store_steps(
    x: Pointer, tile: Tile, first: Tile, left: Tile, block: Tile, C: constexpr, N: constexpr,
    B: constexpr,
) -> None:  # fmt: skip
    """Store what `load_steps` loads."""
    step, column = tl.arange(0, C), block * B + tl.arange(0, B)
    there = (step < left)[:, None] & (column < N)[None, :]
    tl.store(x + (first + step)[:, None] * N + column[None, :], tile, there)


@helper
def load_memory(
    F: Pointer, key_block: Tile, value_block: Tile, K: constexpr, V: constexpr, BK: constexpr,
    BV: constexpr,
) -> Tile:  # fmt: skip
    """Return a block [BK, BV] of F [K, V]."""
    k, v = key_block * BK + tl.arange(0, BK), value_block * BV + tl.arange(0, BV)
    return tl.load(F + k[:, None] * V + v[None, :], (k < K)[:, None] & (v < V)[None, :], 0.0)


@helper
def store_memory(
    F: Pointer, tile: Tile, key_block: Tile, value_block: Tile, K: constexpr, V: constexpr,
    BK: constexpr, BV: constexpr,
) -> None:  # fmt: skip
    """Store a block [BK, BV] of F [K, V]."""
    k, v = key_block * BK + tl.arange(0, BK), value_block * BV + tl.arange(0, BV)
    tl.store(F + k[:, None] * V + v[None, :], tile, (k < K)[:, None] & (v < V)[None, :])


@helper
def load_gate(gate: Pointer, first: Tile, left: Tile, C: constexpr) -> Tile:
    """Return α of the steps, 1 where there is none."""
    step = tl.arange(0, C)
    return tl.load(gate + first + step, step < left, 1.0)


@helper
def decays(gate: Pointer, first: Tile, left: Tile, C: constexpr, GATED: constexpr) -> Tile:
    """Return D [C, C]."""
    row, column = tl.arange(0, C)[:, None], tl.arange(0, C)[None, :]
    if GATED:
        alpha = load_gate(gate, first, left, C)
        factors = tl.where(row > column, alpha[:, None], 1.0)
        return tl.where(row >= column, tl.cumprod(factors, 0), 0.0)
    else:
        return tl.where(row >= column, 1.0, 0.0).to(gate.dtype.element_ty)


@kernel
def multiply_steps(
    a: Pointer, b: Pointer, products: Pointer, time: Number, C: constexpr, N: constexpr,
    B: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Leave ⟨a_t, b_i⟩ of the steps of chunk `program_id(0)` of row `program_id(1)`, [rows, chunks, C, C]."""
    chunk, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, left, step = row * time + chunk * C, time - chunk * C, tl.arange(0, C)
    total = tl.zeros([C, C], a.dtype.element_ty)
    for block in range((N + B - 1) // B):
        x, y = (
            load_steps(a, first, left, block, C, N, B),
            load_steps(b, first, left, block, C, N, B),
        )
        total += dot(x, tl.trans(y), P)
    whole = row * tl.num_programs(0) + chunk
    tl.store(products + whole * C * C + step[:, None] * C + step[None, :], total)


@helper
def load_products(products: Pointer, whole: Tile, C: constexpr) -> Tile:
    """Return what `multiply_steps` left of a chunk, counted over all rows."""
    step = tl.arange(0, C)
    return tl.load(products + whole * C * C + step[:, None] * C + step[None, :])


@helper
def corners(half: Tile, C: constexpr) -> Tile:
    """Return where in [C, C] rows are of the second half, and columns of the first, of one block of 2 `half` steps."""
    row, column = tl.arange(0, C)[:, None], tl.arange(0, C)[None, :]
    return ((row ^ column) < 2 * half) & ((row & half) > (column & half))


@helper
def load_total(
    before: Pointer, totals: Pointer, whole: Tile, K: constexpr, C: constexpr, SIZE: constexpr,
    CHANNELS: constexpr,
) -> Tile:  # fmt: skip
    """Return the decay of F over a whole chunk: a number, or one for each row."""
    if CHANNELS:
        feature = tl.arange(0, SIZE)
        return tl.load(totals + whole * K + feature, feature < K, 0.0)[:, None]
    else:
        return tl.load(before + whole * C + C - 1)


@helper
def unit_inverse(L: Tile, C: constexpr, LEVELS: constexpr, P: constexpr) -> Tile:
    """Return (I + L)⁻¹ of L strictly below the diagonal, C = 2^LEVELS.

    From blocks of B to blocks of 2B: A ← A - A L' A, L' being L between the two halves of each larger block.
    """
    row, column = tl.arange(0, C)[:, None], tl.arange(0, C)[None, :]
    A = tl.where(row == column, 1.0, 0.0).to(L.dtype) - tl.where((row ^ column) == 1, L, 0.0)
    for level in range(1, LEVELS):
        A -= dot(dot(A, tl.where(corners(1 << level, C), L, 0.0), P), A, P)
    return A
