"""Sizes, flags and memory layout of one fused call, known before any kernel runs.

Offsets and strides count scalars. Small arrays come in two layouts: *by step*, one step's features next to each other,
and in *lines*, one feature of a run of steps next to each other, so that steps are vector lanes. Features and steps are
padded with zeros to whole vectors.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

Size = Any  # an int, or a symbolic one while torch traces with unknown sizes


class Options(NamedTuple):
    """What a call asks for, but for its sizes.

    Attributes:
        delta: whether the rule is the delta rule; else Hebb's.
        clamp: whether the norm is held at 1.
        head: features of an inner query that are what the read before found: concatenated keys; else 0.
        norm: whether reads are normalised.
        chunk: steps between the makings of F.
    """

    delta: bool
    clamp: bool
    head: int
    norm: bool
    chunk: int


class Plan(NamedTuple):
    """Everything integral that the kernels are told; a tuple, so that it crosses into them cheaply.

    A key is the product of an outer and an inner factor; `outer` is 0 where there is but one, the inner.

    Attributes:
        rows, time, outer, inner, value, reads, head: sizes; for `head` see `Options`.
        unit, width: what everything is padded to; steps in a block, whose lanes run through the kernels together.
        outer_pad, inner_pad, value_pad, chain_pad, time_pad: sizes padded; a chain of reads starts with `chain_pad`
            features; `time_pad` is a chunk's steps.
        chunk, chunks, blocks: steps in a chunk, chunks in the sequence, blocks in a chunk.
        delta, clamp, gated, norm, has_memory, has_real, selective, padded: 0 or 1: see `Options`; whether there are a
            gate, an initial memory, padded steps, unread steps; whether the memory is kept padded.
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
        asked: the steps of a chunk that read.
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
    head: int
    unit: int
    width: int
    outer_pad: int
    inner_pad: int
    value_pad: int
    chain_pad: int
    time_pad: int
    chunk: int
    chunks: int
    blocks: int
    delta: int
    clamp: int
    gated: int
    norm: int
    has_memory: int
    has_real: int
    selective: int
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
    asked: int
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

    outer_key: int
    inner_key: int
    values: int
    strength: int
    chain: int
    query: int
    memory: int
    gate: int
    real: int
    read_mask: int
    saved: int
    scratch: int
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


class Sizes(NamedTuple):
    """The sizes of a call and which of its tensors there are.

    Attributes:
        rows, time, outer, inner, value, reads: as in `Plan`.
        gate, memory, real, read_mask: whether they are given.
    """

    rows: Size
    time: Size
    outer: Size
    inner: Size
    value: Size
    reads: Size
    gate: bool
    memory: bool
    real: bool
    read_mask: bool


def round_up(size: Size, multiple: Size) -> Size:
    """Return the next multiple."""
    return -(-size // multiple) * multiple


def offsets(sizes: dict[str, Size]) -> tuple[dict[str, Size], Size]:
    """Lay out regions one after the other: where each begins, and where the last ends."""
    places, end = {}, 0
    for name, size in sizes.items():
        places[name] = end
        end += size
    return places, end


def lay_out(sizes: Sizes, options: Options, unit: int) -> Plan:
    """Lay out one call; see `Plan`. `unit` is a multiple of the lanes and of the rows of a tile."""
    rows, time, outer, inner, value, reads = sizes[:6]
    width = 2 * unit
    outer_pad, inner_pad, value_pad = (round_up(n, unit) for n in (outer, inner, value))
    chain_pad = max(outer_pad, round_up(options.head, unit))
    chunk = min(options.chunk, time)
    chunks, blocks, time_pad = -(-time // chunk), -(-chunk // width), round_up(chunk, unit)
    state = max(outer, 1) * inner_pad * value_pad
    padded = inner_pad != inner or value_pad != value
    projected = options.delta or options.clamp
    keeps = options.norm or options.clamp or reads > 1
    found = chunks * blocks * reads * width if keeps else 0
    saved, saved_stride = offsets(
        {
            "projected": time * value_pad if projected else 0,
            "growth": round_up(time, unit) if options.clamp else 0,
            "half": round_up(time, unit) if options.clamp else 0,
            "found": found * value_pad,
            "scale": found if options.norm else 0,
            "initial": state if sizes.memory and padded else 0,
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
            "asked": time_pad,
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
        rows=rows,
        time=time,
        outer=outer,
        inner=inner,
        value=value,
        reads=reads,
        head=options.head,
        unit=unit,
        width=width,
        outer_pad=outer_pad,
        inner_pad=inner_pad,
        value_pad=value_pad,
        chain_pad=chain_pad,
        time_pad=time_pad,
        chunk=chunk,
        chunks=chunks,
        blocks=blocks,
        delta=int(options.delta),
        clamp=int(options.clamp),
        gated=int(sizes.gate),
        norm=int(options.norm),
        has_memory=int(sizes.memory),
        has_real=int(sizes.real),
        selective=int(sizes.read_mask),
        padded=int(padded),
        keeps=int(keeps),
        state=state,
        saved_stride=saved_stride,
        stride=stride,
        **saved,
        **places,
    )


make_plan = lru_cache(maxsize=256)(lay_out)
