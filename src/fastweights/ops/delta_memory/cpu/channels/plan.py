"""Sizes and memory layout of a fused call with decays by feature, known before any kernel runs.

Offsets and strides count scalars; features are padded with zeros to whole units, as are a chunk's steps to `STEPS`.

    saved    | u by step | F at the start of each chunk | …  next row …
    scratch  | one worker's | …
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from fastweights.kernels.layout import Packed, offsets, pack, round_up
from fastweights.kernels.types import Size

HALF = 16
"""Steps whose decays are multiplied pair by pair; a multiple of the lanes."""
STEPS = 2 * HALF
"""Steps of a chunk, at most."""


class Sizes(NamedTuple):
    """Sizes that a layout follows from; `unit` is what features are padded to."""

    rows: Size
    time: Size
    key: Size
    value: Size
    erases: bool
    reads: bool
    has_memory: bool
    chunk: Size
    unit: int


class Plan(NamedTuple):
    """All integers that the kernels of both passes need; flags are 0 or 1.

    Attributes:
        rows … unit: as in `Sizes`.
        key_pad, value_pad: sizes padded.
        chunks: in the sequence.
        state: scalars of a memory.
        saved_stride: scalars of `saved` for one row, in which start at:
        written, borders: u of each chunk, and F at its start.
        stride: scalars of scratch for each worker, in which start at:
        keys, gate, erase, query: of a chunk, by step; `erase` negative.
        up_to, after: products of decays from the chunk's start and to its end.
        before, behind: the same within the halves: from the middle on, and up to it.
        erase_rows, query_rows, columns, lines: what the product between the halves takes.
        erase_pairs, query_pairs: of two steps.
        scaled: keys or queries times decays.
        results: by step, of values.
        product: of a key while decays are multiplied to it.
        final: F after the last step.
    """

    rows: int
    time: int
    key: int
    value: int
    erases: int
    reads: int
    has_memory: int
    chunk: int
    unit: int
    key_pad: int
    value_pad: int
    chunks: int
    state: int
    saved_stride: int
    written: int
    borders: int
    stride: int
    keys: int
    gate: int
    erase: int
    query: int
    up_to: int
    after: int
    before: int
    behind: int
    erase_rows: int
    query_rows: int
    columns: int
    lines: int
    erase_pairs: int
    query_pairs: int
    scaled: int
    results: int
    product: int
    final: int


class BackwardPlan(NamedTuple):
    """The layout of the backward's scratch, after what it shares with the forward's.

    Attributes:
        wants_memory, has_final: whether F at the start has a gradient to be made, and F at the end one given.
        stride: scalars of scratch for each worker, in which start at:
        keys … query: gradients, by step.
        up_to, after, before, behind: of the products of decays.
        erase_pairs, query_pairs: of pairs.
        retrieved, written: of what is retrieved, and of u.
        value_lines, key_lines: room for steps as lanes.
        rows, more_rows: room for a half's rows.
        memory: of F.
    """

    wants_memory: int
    has_final: int
    stride: int
    keys: int
    gate: int
    erase: int
    query: int
    up_to: int
    after: int
    before: int
    behind: int
    erase_pairs: int
    query_pairs: int
    retrieved: int
    written: int
    value_lines: int
    key_lines: int
    rows: int
    more_rows: int
    memory: int


class Addresses(NamedTuple):
    """Where the tensors of a call lie, forward and backward; 0 where there is none."""

    keys: int = 0
    gate: int = 0
    values: int = 0
    erase: int = 0
    query: int = 0
    memory: int = 0
    saved: int = 0
    scratch: int = 0
    retrieved: int = 0
    final: int = 0
    retrieved_gradient: int = 0
    final_gradient: int = 0
    keys_gradient: int = 0
    gate_gradient: int = 0
    values_gradient: int = 0
    erase_gradient: int = 0
    query_gradient: int = 0
    memory_gradient: int = 0


def lay_out(sizes: Sizes) -> Plan:
    """Return the layout of a call, whose sizes may be symbolic."""
    key_pad, value_pad = round_up(sizes.key, sizes.unit), round_up(sizes.value, sizes.unit)
    chunks, state = -(-sizes.time // sizes.chunk), key_pad * value_pad
    saved, saved_stride = offsets(
        {"written": chunks * STEPS * value_pad, "borders": chunks * state}
    )
    by_step, by_half = STEPS * key_pad, HALF * key_pad
    names = ("keys", "gate", "erase", "query", "up_to", "after")
    halves = ("before", "behind", "erase_rows", "query_rows", "columns", "lines")
    places, stride = offsets(
        {
            **dict.fromkeys(names, by_step),
            **dict.fromkeys(halves, by_half),
            "erase_pairs": STEPS * STEPS,
            "query_pairs": STEPS * STEPS,
            "scaled": by_step,
            "results": STEPS * value_pad,
            "product": max(key_pad, HALF * sizes.unit),
            "final": state,
        }
    )
    return Plan(
        *sizes,
        key_pad=key_pad,
        value_pad=value_pad,
        chunks=chunks,
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


@lru_cache(maxsize=256)
def packed_backward_plan(plan: Plan, wants_memory: bool, has_final: bool) -> Packed[BackwardPlan]:
    """Return the layout of a backward's scratch as kernels read it."""
    by_step, by_half = STEPS * plan.key_pad, HALF * plan.key_pad
    values, pairs = STEPS * plan.value_pad, STEPS * STEPS
    places, stride = offsets(
        {
            **dict.fromkeys(("keys", "gate", "erase", "query", "up_to", "after"), by_step),
            **dict.fromkeys(("before", "behind"), by_half),
            **dict.fromkeys(("erase_pairs", "query_pairs"), pairs),
            **dict.fromkeys(("retrieved", "written", "value_lines"), values),
            "key_lines": by_step,
            "rows": by_half,
            "more_rows": by_half,
            "memory": plan.state,
        },
        plan.stride,
    )
    return pack(
        BackwardPlan(wants_memory=wants_memory, has_final=has_final, stride=stride, **places)
    )
