"""Tiles of a block of steps, and products with the memory F [outer, inner, value].

Sequences are [rows, time, links, SIZE]; a block's tile has its steps as rows and is 0 beyond the last step and feature.
Where a size comes in small and capital, as in SIZE and S, the second is the side of the tile that holds it.
"""

from __future__ import annotations

from fastweights.kernels.triton.language import (
    Number,
    Pointer,
    Tile,
    constexpr,
    dot,
    helper,
    tl,
)


@helper
def load_block(
    source: Pointer, at: Number, valid: Number, link: Number, LINKS: constexpr, SIZE: constexpr, S: constexpr,
    C: constexpr,
) -> Tile:  # fmt: skip
    """[C, S] of one link; `at` is the block's first step among those of all rows, of which `valid` are there."""
    step, feature = tl.arange(0, C)[:, None], tl.arange(0, S)[None, :]
    place = source + at * (LINKS * SIZE) + link * SIZE
    inside = (step < valid) & (feature < SIZE)
    return tl.load(place + step * (LINKS * SIZE) + feature, inside, 0.0)


@helper
def store_block(
    target: Pointer, at: Number, valid: Number, link: Number, LINKS: constexpr, SIZE: constexpr, S: constexpr,
    C: constexpr, tile: Tile,
) -> None:  # fmt: skip
    """Store what `load_block` loads."""
    step, feature = tl.arange(0, C)[:, None], tl.arange(0, S)[None, :]
    place = target + at * (LINKS * SIZE) + link * SIZE
    inside = (step < valid) & (feature < SIZE)
    tl.store(place + step * (LINKS * SIZE) + feature, tile, inside)


@helper
def load_column(
    source: Pointer, at: Number, valid: Number, link: Number, feature: Number, LINKS: constexpr, SIZE: constexpr,
    C: constexpr,
) -> Tile:  # fmt: skip
    """One feature of a block: [C, 1]."""
    step = tl.arange(0, C)[:, None]
    place = source + at * (LINKS * SIZE) + link * SIZE + feature
    return tl.load(place + step * (LINKS * SIZE), step < valid, 0.0)


@helper
def load_part(
    memory: Pointer, i: Number, INNER: constexpr, SI: constexpr, VALUE: constexpr, SV: constexpr
) -> Tile:
    """F[i], [SI, SV]."""
    inner, value = tl.arange(0, SI)[:, None], tl.arange(0, SV)[None, :]
    inside = (inner < INNER) & (value < VALUE)
    return tl.load(memory + i * (INNER * VALUE) + inner * VALUE + value, inside, 0.0)


@helper
def contract(
    memory: Pointer, outer: Pointer, inner: Tile, at: Number, valid: Number, link: Number, LINKS: constexpr,
    OUTER: constexpr, INNER: constexpr, SI: constexpr, VALUE: constexpr, SV: constexpr, C: constexpr, P: constexpr,
) -> Tile:  # fmt: skip
    """F (outer ⊗ inner) of a block's queries: [C, SV]. The outer factor is a place to load from, the inner a tile."""
    found = tl.zeros([C, SV], memory.dtype.element_ty)
    for i in range(OUTER):
        part = load_part(memory, i, INNER, SI, VALUE, SV)
        found += load_column(outer, at, valid, link, i, LINKS, OUTER, C) * dot(inner, part, P)
    return found


@helper
def contract_outer_back(
    memory: Pointer, gradient: Tile, inner: Tile, OUTER: constexpr, SO: constexpr, INNER: constexpr, SI: constexpr,
    VALUE: constexpr, SV: constexpr, C: constexpr, P: constexpr,
) -> Tile:  # fmt: skip
    """The gradient of `contract` by the outer factor, [C, SO], from that by its result."""
    back = tl.zeros([C, SO], memory.dtype.element_ty)
    feature = tl.arange(0, SO)[None, :]
    for i in range(OUTER):
        part = load_part(memory, i, INNER, SI, VALUE, SV)
        sums = tl.sum(dot(gradient, tl.trans(part), P) * inner, 1, keep_dims=True)
        back += tl.where(feature == i, sums, 0.0)
    return back


@helper
def contract_inner_back(
    memory: Pointer, gradient: Tile, outer: Pointer, at: Number, valid: Number, link: Number, LINKS: constexpr,
    OUTER: constexpr, INNER: constexpr, SI: constexpr, VALUE: constexpr, SV: constexpr, C: constexpr, P: constexpr,
) -> Tile:  # fmt: skip
    """The gradient of `contract` by the inner factor, [C, SI], from that by its result."""
    back = tl.zeros([C, SI], memory.dtype.element_ty)
    for i in range(OUTER):
        part = load_part(memory, i, INNER, SI, VALUE, SV)
        column = load_column(outer, at, valid, link, i, LINKS, OUTER, C)
        back += column * dot(gradient, tl.trans(part), P)
    return back


@helper
def load_before(
    before: Pointer, at: Number, valid: Number, C: constexpr, STRICT: constexpr
) -> Tile:
    """[C, 1]: what F(0) of the block has decayed to when each step reads it; STRICT: when it is about to write."""
    step = tl.arange(0, C)[:, None]
    if STRICT:
        return tl.load(before + at + step - 1, (step > 0) & (step < valid), 1.0)
    return tl.load(before + at + step, step < valid, 0.0)


@helper
def load_decay(decay: Pointer, at: Number, C: constexpr, STRICT: constexpr) -> Tile:
    """[C, C]: what the write of the column's step has decayed to at the row's; 0 for writes still to come."""
    step, write = tl.arange(0, C)[:, None], tl.arange(0, C)[None, :]
    if STRICT:
        return tl.load(decay + (at + step - 1) * C + write, write < step, 0.0)
    return tl.load(decay + (at + step) * C + write, write <= step, 0.0)
