"""Sizes, flags and memory layout of one fused call, known before any kernel runs.

Offsets and strides count scalars. A *line* is one vector: the same scalar of every batch row of a row block. A *state*
is H lines. Below, with the letters of the kernels:

    t, n        step of the sequence, of its chunk, from 0          s       inner step, 0 … S-1
    h(t)        hidden state; h(0) stands before step 0             h_s     argument of read s: its query
    z(t)        x(t) + W h(t-1)                                     dz      ∂L/∂z, and so on
    y           z + A(t-1) h_s, before normalisation                dy      its gradient, which a read owes A
    A           the fast memory; G = ∂L/∂A + (∂L/∂A)ᵀ               λ, η    decay, rate

The tensor `saved`, one stretch a row block, and the scratch of the backward:

    saved    | history | queries | before | moments | preliminary ×2 | scores | borders | initial |  next row block …
    scratch  | dz, gains, scalars: row block 0 | row block 1 | … | worker 0: zeros, dump, dh, … packed | worker 1 | …
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from fastweights.kernels.layout import Packed, offsets, pack, round_up
from fastweights.kernels.types import Size

GROUP = 4  # states whose gradients from later reads are added up together, so that each read is fetched once for all
STRIP = 8  # lines in a strip of ∂W at most
SEGMENT_BYTES = 400_000  # of states; two such, and ∂W, fit a second-level cache of 1 MiB


def pick_chunk(time: int, hidden: int) -> int:
    """Return the steps between makings of A: one chunk while its history is cheaper to read than A (measured)."""
    return time if time <= 3 * hidden // 4 else max(16, min(32, hidden // 2))


class Sizes(NamedTuple):
    """Sizes that a layout follows from.

    Attributes:
        batch, time, hidden, steps: sizes; `steps` is the number of inner steps S (1 for the flat form).
        chunk: steps between the makings of A.
        flat, use_tanh, norm, preliminary, has_hidden, has_memory: the form, and what is given.
        lanes, rows: of a vector, of a panel of a symmetric matrix.
    """

    batch: Size
    time: Size
    hidden: Size
    steps: int
    chunk: Size
    flat: bool
    use_tanh: bool
    norm: bool
    preliminary: bool
    has_hidden: bool
    has_memory: bool
    lanes: int
    rows: int


class Plan(NamedTuple):
    """All integers that the kernels of both passes need; flags are 0 or 1.

    Attributes:
        batch … rows: as in `Sizes`.
        blocks, chunks: row blocks, chunks in the sequence.
        saved_stride: scalars of `saved` for one row block, in which start at:
        history: h(0) … h(T), one state each.
        queries: h_0 … h_{S-1} of every step (inner form).
        before, moments: the argument of every layer normalisation; its mean and 1/σ.
        preliminary_before, preliminary_moments: the same of the preliminary one.
        scores: ⟨h(τ), h_s(t)⟩ for τ < t in the chunk, S n (n-1) / 2 lines before step n of a chunk.
        borders: the symmetric part of A at the start of chunks 1, 2, …
        initial: A(0), row by row.
        scores_stride, border_stride: scalars of scores for one chunk; of one border.
        forward_panel: where the forward's scratch has room for a panel's lines of every state of a chunk.
        forward_stride: scalars of scratch for each worker of the forward.
    """

    batch: int
    time: int
    hidden: int
    steps: int
    chunk: int
    flat: int
    use_tanh: int
    norm: int
    preliminary: int
    has_hidden: int
    has_memory: int
    lanes: int
    rows: int
    blocks: int
    chunks: int
    saved_stride: int
    history: int
    queries: int
    before: int
    moments: int
    preliminary_before: int
    preliminary_moments: int
    scores: int
    borders: int
    initial: int
    scores_stride: int
    border_stride: int
    forward_panel: int
    forward_stride: int


class Addresses(NamedTuple):
    """Where the tensors of a call lie, forward and backward; 0 where there is none."""

    recurrent_weight: int = 0
    norm_weight: int = 0
    norm_bias: int = 0
    preliminary_norm_weight: int = 0
    preliminary_norm_bias: int = 0
    hidden: int = 0
    memory: int = 0
    saved: int = 0
    scratch: int = 0
    drive: int = 0
    outputs: int = 0
    outputs_gradient: int = 0
    drive_gradient: int = 0
    weight_gradient: int = 0
    gain_gradient: int = 0
    bias_gradient: int = 0
    preliminary_gain_gradient: int = 0
    preliminary_bias_gradient: int = 0
    hidden_gradient: int = 0
    memory_gradient: int = 0
    decay_gradient: int = 0
    rate_gradient: int = 0


def triangle_lines(hidden: Size, rows: Size) -> Size:
    """Return the lines of a symmetric matrix kept as panels of `rows` rows, then single rows.

    Example:
        >>> triangle_lines(3, rows=2)  # two rows of 2, one of 3
        7
    """
    lines = row = 0
    while row < hidden:
        height = rows if hidden - row >= rows else 1
        row += height
        lines += height * row
    return lines


def _pairs(steps: Size) -> Size:
    return steps * (steps - 1) // 2


def lay_out(sizes: Sizes) -> Plan:
    """Return the layout of a call, whose sizes may be symbolic."""
    time, hidden, steps, chunk, lanes, rows = (
        sizes.time, sizes.hidden, sizes.steps, sizes.chunk, sizes.lanes, sizes.rows
    )  # fmt: skip
    chunks = -(-time // chunk)
    rest = time - (chunks - 1) * chunk
    state = hidden * lanes
    border = triangle_lines(hidden, rows) * lanes
    regions, saved_stride = offsets(
        {
            "history": (time + 1) * state,
            "queries": 0 if sizes.flat else time * steps * state,
            "before": time * steps * state if sizes.norm else 0,
            "moments": 2 * time * steps * lanes if sizes.norm else 0,
            "preliminary_before": time * state if sizes.preliminary else 0,
            "preliminary_moments": 2 * time * lanes if sizes.preliminary else 0,
            "scores": ((chunks - 1) * _pairs(chunk) + _pairs(rest)) * steps * lanes,
            "borders": (chunks - 1) * border,
            "initial": hidden * state if sizes.has_memory else 0,
        }
    )
    panel = (2 + 3 * hidden + chunk) * lanes + round_up(hidden * hidden, lanes)
    return Plan(
        *sizes,
        blocks=-(-sizes.batch // lanes),
        chunks=chunks,
        saved_stride=saved_stride,
        scores_stride=steps * _pairs(chunk) * lanes,
        border_stride=border,
        forward_panel=panel,
        forward_stride=panel + (rows * chunk * lanes if chunks > 1 else 0),
        **regions,
    )


@lru_cache(maxsize=256)
def packed_plan(sizes: Sizes) -> Packed[Plan]:
    """Return the layout of a call as kernels read it."""
    return pack(lay_out(sizes))


class BackwardPlan(NamedTuple):
    """The layout of the backward's scratch; see `Plan`.

    Attributes:
        wants_scalars: whether the gradient of λ or η is made.
        segment: steps of row blocks that ∂W takes at a time.
        size: scalars in all.
        block_stride: scalars for each row block, in which start at:
        dz: the gradient by z(t), a state for each step.
        gains: the gradients of gain, bias, preliminary gain and bias, summed over time, then those of λ and η.
        gain_lines: how many lines those are.
        scalars: where λ's and η's begin.
        workers, worker_stride: where the workers' scratch begins, and its scalars for each; in it start, after a line
            of zeros and one for what is never read:
        dh, flat_gradient, product: a state each; the gradient of h(t), in the flat form what its read adds to h(t-1).
        zeros: a state of zeros.
        group: for GROUP neighbouring states, their gradients from reads after them.
        read_gradients: dy of every read of the chunk (of the sequence, where ∂A(0) is wanted).
        later_gradients: the gradient of each state of the chunk from later chunks.
        by_gradient, by_query: c q and c p, for every state of the chunk and every read.
        products: ⟨h(τ), dy⟩ of one read.
        symmetric: G.
        initial_gradient: ∂A(0).
        panel: a panel's lines of every state kept.
        strip: TILE lines of every state of a segment.
        packed: Wᵀ, in panels.
    """

    wants_scalars: int
    segment: int
    size: int
    block_stride: int
    dz: int
    gains: int
    gain_lines: int
    scalars: int
    workers: int
    worker_stride: int
    dh: int
    group: int
    flat_gradient: int
    product: int
    zeros: int
    read_gradients: int
    panel: int
    later_gradients: int
    by_gradient: int
    by_query: int
    products: int
    symmetric: int
    initial_gradient: int
    strip: int
    packed: int


@lru_cache(maxsize=256)
def packed_backward_plan(plan: Plan, wants_scalars: bool, workers: int) -> Packed[BackwardPlan]:
    """Return the layout of a backward's scratch as kernels read it."""
    lanes = plan.lanes
    state = plan.hidden * lanes
    coefficients = plan.chunk * plan.chunk * plan.steps * lanes
    segment = max(16, SEGMENT_BYTES // (64 * plan.hidden))
    block, block_stride = offsets(
        {"dz": plan.time * state, "gains": 4 * state, "scalars": 2 * lanes}
    )
    kept = plan.time if plan.has_memory else plan.chunk
    several = plan.chunks > 1
    worker, worker_stride = offsets(
        {
            "dh": state,
            "group": GROUP * state,
            "flat_gradient": state,
            "product": state,
            "zeros": state,
            "read_gradients": kept * plan.steps * state,
            "panel": plan.rows * kept * lanes if several or plan.has_memory else 0,
            "later_gradients": plan.chunk * state if several else 0,
            "by_gradient": coefficients,
            "by_query": coefficients,
            "products": plan.chunk * lanes,
            "symmetric": plan.border_stride if several else 0,
            "initial_gradient": plan.hidden * state if plan.has_memory else 0,
            "strip": STRIP * lanes * min(segment, plan.blocks * plan.time),
            "packed": round_up(plan.hidden * plan.hidden, lanes),
        },
        # A line of zeros and one that is never read; `reduce` puts a tile of scalars there instead.
        max(2 * lanes, STRIP * STRIP),
    )
    first_worker = plan.blocks * block_stride
    layout = BackwardPlan(
        wants_scalars=wants_scalars,
        segment=segment,
        size=first_worker + workers * worker_stride,
        block_stride=block_stride,
        gain_lines=4 * plan.hidden + 2,
        workers=first_worker,
        worker_stride=worker_stride,
        **block,
        **worker,
    )
    return pack(layout)
