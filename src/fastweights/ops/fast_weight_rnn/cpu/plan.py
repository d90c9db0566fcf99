"""Sizes, flags and memory layout of one fused call, known before any kernel runs.

Offsets and strides count scalars. A line is one vector: one scalar of every batch row of a row block.
"""

from __future__ import annotations

from typing import Any, NamedTuple

# States whose debts are added up together, so that each later read is fetched once for all.
PULL = 4
Size = Any  # an int, or a symbolic one while torch traces with unknown sizes
STRIP = 8  # lines in a strip of ∂W at most
SEGMENT_BYTES = 400_000  # of states; two such, and ∂W, fit a second-level cache of 1 MiB


class Plan(NamedTuple):
    """Everything integral that the kernels are told; a tuple, so that it crosses into them cheaply.

    Attributes:
        batch, time, hidden, steps: sizes; `steps` is the number of inner steps S (1 for the flat form).
        lanes, rows: of a vector, of a panel of a symmetric matrix.
        blocks, chunk, chunks: row blocks, steps in a chunk, chunks in the sequence.
        flat, use_tanh, norm, preliminary, has_hidden, has_memory: 0 or 1.
        saved_stride: scalars of `saved` for one row block, in which start at:
        history: h(0) … h(T), one state each.
        queries: h_0 … h_{S-1} of every step (inner form).
        before, moments: the argument of every layer normalisation; its mean and 1/σ.
        preliminary_before, preliminary_moments: the same of the preliminary one.
        scores: ⟨h(τ), h_s(t)⟩ for τ < t in the chunk, S n (n-1) / 2 lines before step n of a chunk.
        scores_stride: scalars of scores for one chunk.
        borders, border_stride: the symmetric part of A at the start of chunks 1, 2, …
        initial: A(0), row by row.
        forward_panel: where the forward's scratch has room for a panel's lines of every state of a chunk.
        forward_stride: scalars of scratch for each worker of the forward.
    """

    batch: int
    time: int
    hidden: int
    steps: int
    lanes: int
    rows: int
    blocks: int
    chunk: int
    chunks: int
    flat: int
    use_tanh: int
    norm: int
    preliminary: int
    has_hidden: int
    has_memory: int
    saved_stride: int
    history: int
    queries: int
    before: int
    moments: int
    preliminary_before: int
    preliminary_moments: int
    scores: int
    scores_stride: int
    borders: int
    border_stride: int
    initial: int
    forward_panel: int
    forward_stride: int


class Addresses(NamedTuple):
    """Where the tensors of a call lie, forward and backward; 0 where there is none."""

    recurrent_weight: int
    norm_weight: int
    norm_bias: int
    preliminary_norm_weight: int
    preliminary_norm_bias: int
    hidden: int
    memory: int
    saved: int
    scratch: int
    drive: int = 0
    outputs: int = 0
    gradient: int = 0
    drive_gradient: int = 0
    weight_gradient: int = 0
    gain_gradient: int = 0
    bias_gradient: int = 0
    first_gain_gradient: int = 0
    first_bias_gradient: int = 0
    hidden_gradient: int = 0
    memory_gradient: int = 0
    scalar_gradient: int = 0


def triangle_lines(hidden: Size, rows: Size) -> Size:
    """Return the lines of a symmetric matrix kept as panels of `rows` rows, then single rows."""
    lines = row = 0
    while row < hidden:
        left = hidden - row
        height = rows if left >= rows else 1
        row += height
        lines += height * row
    return lines


def _pairs(steps: Size) -> Size:
    return steps * (steps - 1) // 2


def lay_out(
    batch: Size,
    time: Size,
    hidden: Size,
    *,
    steps: int,
    lanes: int,
    rows: int,
    chunk: Size,
    flat: bool,
    use_tanh: bool,
    norm: bool,
    preliminary: bool,
    has_hidden: bool,
    has_memory: bool,
) -> Plan:
    """Lay out one call; see `Plan`."""
    steps = 1 if flat else steps
    chunks = -(-time // chunk)
    rest = time - (chunks - 1) * chunk
    state = hidden * lanes
    sizes = {
        "history": (time + 1) * state,
        "queries": 0 if flat else time * steps * state,
        "before": time * steps * state if norm else 0,
        "moments": 2 * time * steps * lanes if norm else 0,
        "preliminary_before": time * state if preliminary else 0,
        "preliminary_moments": 2 * time * lanes if preliminary else 0,
        "scores": ((chunks - 1) * _pairs(chunk) + _pairs(rest)) * steps * lanes,
        "borders": (chunks - 1) * triangle_lines(hidden, rows) * lanes,
        "initial": hidden * state if has_memory else 0,
    }
    offsets, end = _offsets(sizes)
    panel = (2 + 3 * hidden + chunk) * lanes + _round_up(hidden * hidden, lanes)
    return Plan(
        batch=batch,
        time=time,
        hidden=hidden,
        steps=steps,
        lanes=lanes,
        rows=rows,
        blocks=-(-batch // lanes),
        chunk=chunk,
        chunks=chunks,
        flat=int(flat),
        use_tanh=int(use_tanh),
        norm=int(norm),
        preliminary=int(preliminary),
        has_hidden=int(has_hidden),
        has_memory=int(has_memory),
        saved_stride=end,
        scores_stride=steps * _pairs(chunk) * lanes,
        border_stride=triangle_lines(hidden, rows) * lanes,
        forward_panel=panel,
        forward_stride=panel + (rows * chunk * lanes if chunks > 1 else 0),
        **offsets,
    )


def _round_up(size: Size, multiple: Size) -> Size:
    return -(-size // multiple) * multiple


class BackwardPlan(NamedTuple):
    """The layout of the backward's scratch; see `Plan`.

    Attributes:
        wants_scalars: whether the gradients of λ and η are made.
        segment: steps of row blocks that ∂W takes at a time.
        block_stride: scalars for each row block, in which start at:
        dz: the gradient by z(t), a state for each step.
        gains: the gradients of gain, bias, preliminary gain and bias, summed over time, then those of λ and η.
        gain_lines: how many lines those are.
        scalars: where λ's and η's begin.
        workers, worker_stride: the same for each worker:
        dh, owed, product: a state each.
        nothing: a state of zeros.
        pulled: what PULL neighbouring states owe reads of the chunk after them.
        kept: dy of every read of the chunk (of the sequence, where ∂A(0) is wanted).
        debts: what each state of the chunk owes through later chunks.
        by_gradient, by_query: c q and c p, for every state of the chunk and every read.
        products: ⟨h(τ), dy⟩ of one read.
        symmetric: G.
        whole: ∂A(0).
        panel: a panel's lines of every state kept.
        strip: TILE lines of every state of a segment.
        packed: Wᵀ, in panels.
    """

    wants_scalars: int
    segment: int
    block_stride: int
    dz: int
    gains: int
    gain_lines: int
    scalars: int
    workers: int
    worker_stride: int
    dh: int
    pulled: int
    owed: int
    product: int
    nothing: int
    kept: int
    debts: int
    by_gradient: int
    by_query: int
    products: int
    symmetric: int
    whole: int
    panel: int
    strip: int
    packed: int


def _offsets(sizes: dict[str, Size], start: int = 0) -> tuple[dict[str, Size], Size]:
    """Lay out regions one after the other: where each begins, and where the last ends."""
    offsets = {}
    for name, size in sizes.items():
        offsets[name] = start
        start += size
    return offsets, start


def make_backward_plan(plan: Plan, wants_scalars: bool, workers: int) -> tuple[BackwardPlan, int]:
    """Lay out the scratch of a backward; returns the layout and the scalars in all."""
    lanes = plan.lanes
    state = plan.hidden * lanes
    reads = plan.chunk * plan.steps
    segment = max(16, SEGMENT_BYTES // (64 * plan.hidden))
    block, block_stride = _offsets(
        {"dz": plan.time * state, "gains": 4 * state, "scalars": 2 * lanes}
    )
    kept = plan.time if plan.has_memory else plan.chunk
    worker, worker_stride = _offsets(
        {
            "dh": state,
            "pulled": PULL * state,
            "owed": state,
            "product": state,
            "nothing": state,
            "kept": kept * plan.steps * state,
            "panel": plan.rows * kept * lanes if plan.chunks > 1 or plan.has_memory else 0,
            "debts": plan.chunk * state if plan.chunks > 1 else 0,
            "by_gradient": plan.chunk * reads * lanes,
            "by_query": plan.chunk * reads * lanes,
            "products": plan.chunk * lanes,
            "symmetric": plan.border_stride if plan.chunks > 1 else 0,
            "whole": plan.hidden * state if plan.has_memory else 0,
            "strip": STRIP * lanes * min(segment, plan.blocks * plan.time),
            "packed": _round_up(plan.hidden * plan.hidden, lanes),
        },
        4 * lanes + 64,
    )
    first_worker = plan.blocks * block_stride
    layout = BackwardPlan(
        wants_scalars=int(wants_scalars),
        segment=segment,
        block_stride=block_stride,
        gain_lines=4 * plan.hidden + 2,
        workers=first_worker,
        worker_stride=worker_stride,
        **block,
        **worker,
    )
    return layout, first_worker + workers * worker_stride
