"""Sizes, flags and memory layout of one fused call, known before any kernel runs.

Offsets and strides count scalars. Small arrays come in two layouts: *by step*, one step's features next to each other,
and in *lines*, one feature of a run of steps next to each other, so that steps are vector lanes. Features and steps are
padded with zeros to whole units. Below, with the letters of the kernels:

    t, i        step of a chunk, from 0                         g, G_ti   decay of a step; of all from i to what t sees
    k, v, β     key, value, write strength                      α, a      gate, and what the clamp multiplies by
    q, n, e     query; its outer and inner factor               u, w      what a step writes, before and after the clamp
    F, F₀, F̄    memory; at the chunk's start; its gradient      p         F k before the write
    x, x̂        what a read finds, before and after LN          ρ, φ      ∂/∂‖F‖², ⟨F̄, F⟩

The tensor `saved`, one stretch a row, and the scratch of a pass, one a worker:

    saved    | projected | growth | half | found | scale | initial | border 1 | border 2 | … |  next row …
    scratch  | keys by step, in lines | w, decays | a block: queries, results, weights | final | backward's |
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from fastweights.kernels.layout import Packed, offsets, pack, round_up
from fastweights.kernels.types import Size


def pick_chunk(time: int, keys: int, *, empty: bool, needs_memory_grad: bool) -> int:
    """Return the steps between makings of F (measured).

    Args:
        time: steps in all.
        keys: features of a key, of which reading F costs as many operations for each value.
        empty: whether F is zero at the start: then a single chunk never reads it, and longer ones pay.
        needs_memory_grad: whether F at the start has a gradient, which is made for each step of the first chunk.
    """
    whole = keys // 2 if empty else 0 if needs_memory_grad else keys // 4
    chunk = 32 if keys <= 128 else 64
    return time if time <= max(whole, chunk) else chunk


class Sizes(NamedTuple):
    """Sizes that a layout follows from.

    A key is the product of an outer and an inner factor; `outer` is 0 where there is but one, the inner.

    Attributes:
        rows, time, outer, inner, value, reads: sizes; `reads` is 0 without queries.
        gated, has_memory, has_real, selective: whether there are a gate, an initial memory, padded steps, unread steps.
        delta, clamp: whether the rule is the delta rule, else Hebb's; whether the norm is held at 1.
        head: features of an inner query that are what the read before found: concatenated keys; else 0.
        norm: whether reads are normalised.
        chunk: steps between the makings of F.
        unit: what sizes are padded to: a multiple of the lanes and of the rows of a tile.
        unit_keys, scales: whether keys and queries are scaled to norm 1, and queries by a factor.
        key_row, key_step, value_row, value_step, query_row, query_step: scalars from a row to the next, and from a
            step to the next, of inner keys, values and inner queries.
    """

    rows: Size
    time: Size
    outer: Size
    inner: Size
    value: Size
    reads: Size
    gated: bool
    has_memory: bool
    has_real: bool
    selective: bool
    delta: bool
    clamp: bool
    head: int
    norm: bool
    chunk: Size
    unit: int
    unit_keys: bool
    scales: bool
    key_row: Size
    key_step: Size
    value_row: Size
    value_step: Size
    query_row: Size
    query_step: Size


class Plan(NamedTuple):
    """All integers that the kernels of both passes need; flags are 0 or 1.

    Attributes:
        rows … query_step: as in `Sizes`.
        width: steps in a block, whose lanes run through the kernels together.
        outer_pad, inner_pad, value_pad, chain_pad, time_pad: sizes padded; a chain of reads starts with `chain_pad`
            features; `time_pad` is a chunk's steps.
        chunks, blocks: chunks in the sequence, blocks in a chunk.
        padded: whether the memory is kept padded.
        keeps: whether the backward, or a later read, needs what was found.
        state: scalars of a memory.
        saved_stride: scalars of `saved` for one row, in which start at:
        projected: F k before every write, by step.
        growth, half: what a write adds to ‖F‖², and where the clamp acts 1 / (2 ‖F'‖²), else 0.
        found, scale: x̂ of every read, in lines, and its 1/σ.
        initial, borders: the initial memory, where it is padded, and those at the start of chunks 1, 2, …
        stride: scalars of scratch for each worker, in which start at:
        outer_steps, inner_steps, outer_lines, inner_lines: the key factors of a chunk.
        outer_square, inner_square: their squared norms.
        written: w, by step.
        decay, fading: g of each step, and the product of those after it.
        read_steps: the steps of a chunk that read.
        instants, start: of each lane of a block, the last step that it sees, and what it sees of F₀.
        query_outer_lines, query_inner_lines, query_outer_steps, query_inner_steps: the query factors of a block.
        result_lines, result_steps: F times the keys or queries of a block.
        outer_scores, inner_scores, coefficients, weights: for each step of the chunk and lane of a block.
        scaled: room for values to be multiplied before they are added to F.
        final: F after the last step, where it is padded.
    """

    rows: int
    time: int
    outer: int
    inner: int
    value: int
    reads: int
    gated: int
    has_memory: int
    has_real: int
    selective: int
    delta: int
    clamp: int
    head: int
    norm: int
    chunk: int
    unit: int
    unit_keys: int
    scales: int
    key_row: int
    key_step: int
    value_row: int
    value_step: int
    query_row: int
    query_step: int
    width: int
    outer_pad: int
    inner_pad: int
    value_pad: int
    chain_pad: int
    time_pad: int
    chunks: int
    blocks: int
    padded: int
    keeps: int
    state: int
    saved_stride: int
    projected: int
    growth: int
    half: int
    found: int
    scale: int
    initial: int
    borders: int
    stride: int
    outer_steps: int
    inner_steps: int
    outer_lines: int
    inner_lines: int
    outer_square: int
    inner_square: int
    written: int
    decay: int
    fading: int
    read_steps: int
    instants: int
    start: int
    query_outer_lines: int
    query_inner_lines: int
    query_outer_steps: int
    query_inner_steps: int
    result_lines: int
    result_steps: int
    outer_scores: int
    inner_scores: int
    coefficients: int
    weights: int
    scaled: int
    final: int


class Addresses(NamedTuple):
    """Where the tensors of a call lie, forward and backward; 0 where there is none."""

    outer_key: int = 0
    inner_key: int = 0
    values: int = 0
    strength: int = 0
    chain: int = 0
    query: int = 0
    memory: int = 0
    gate: int = 0
    real: int = 0
    read_mask: int = 0
    saved: int = 0
    scratch: int = 0
    retrieved: int = 0
    final: int = 0
    retrieved_gradient: int = 0
    final_gradient: int = 0
    outer_key_gradient: int = 0
    inner_key_gradient: int = 0
    values_gradient: int = 0
    strength_gradient: int = 0
    chain_gradient: int = 0
    query_gradient: int = 0
    memory_gradient: int = 0
    gate_gradient: int = 0


def lay_out(sizes: Sizes) -> Plan:
    """Return the layout of a call, whose sizes may be symbolic."""
    _, time, outer, inner, value, reads = sizes[:6]
    unit, chunk = sizes.unit, sizes.chunk
    width = 2 * unit
    outer_pad, inner_pad, value_pad = (round_up(n, unit) for n in (outer, inner, value))
    chain_pad = max(outer_pad, round_up(sizes.head, unit))
    chunks, blocks, time_pad = -(-time // chunk), -(-chunk // width), round_up(chunk, unit)
    state = max(outer, 1) * inner_pad * value_pad
    padded = inner_pad != inner or value_pad != value
    projected = sizes.delta or sizes.clamp
    keeps = sizes.norm or sizes.clamp or reads > 1
    found = chunks * blocks * reads * width if keeps else 0
    saved, saved_stride = offsets(
        {
            "projected": time * value_pad if projected else 0,
            "growth": round_up(time, unit) if sizes.clamp else 0,
            "half": round_up(time, unit) if sizes.clamp else 0,
            "found": found * value_pad,
            "scale": found if sizes.norm else 0,
            "initial": state if sizes.has_memory and padded else 0,
            "borders": (chunks - 1) * state,
        }
    )
    tile = time_pad * width
    places, stride = offsets(
        {
            "outer_steps": time_pad * outer_pad,
            "inner_steps": time_pad * inner_pad,
            "outer_lines": outer_pad * time_pad,
            "inner_lines": inner_pad * time_pad,
            "outer_square": time_pad,
            "inner_square": time_pad,
            "written": time_pad * value_pad,
            "decay": time_pad,
            "fading": time_pad,
            "read_steps": time_pad,
            "instants": width,
            "start": width,
            "query_outer_lines": chain_pad * width,
            "query_inner_lines": inner_pad * width,
            "query_outer_steps": width * chain_pad,
            "query_inner_steps": width * inner_pad,
            "result_lines": value_pad * width,
            "result_steps": width * value_pad,
            "outer_scores": tile if outer else 0,
            "inner_scores": tile,
            "coefficients": tile,
            "weights": tile,
            "scaled": max(time_pad, width) * value_pad,
            "final": state if padded else 0,
        }
    )
    return Plan(
        *sizes,
        width=width,
        outer_pad=outer_pad,
        inner_pad=inner_pad,
        value_pad=value_pad,
        chain_pad=chain_pad,
        time_pad=time_pad,
        chunks=chunks,
        blocks=blocks,
        padded=padded,
        keeps=keeps,
        state=state,
        saved_stride=saved_stride,
        stride=stride,
        **saved,
        **places,
    )


@lru_cache(maxsize=256)
def packed_plan(sizes: Sizes) -> Packed[Plan]:
    """Return the layout of a call as kernels read it."""
    return pack(lay_out(sizes))
