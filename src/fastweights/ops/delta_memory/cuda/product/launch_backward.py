"""How the backward is started: one segment of time after the other, from the last."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fastweights.kernels.triton.launch import launch
from fastweights.ops.delta_memory.cuda.product import backward, writes
from fastweights.ops.delta_memory.cuda.product.launch import ALL, KEYS, PARTS, VALUES, Pass
from fastweights.ops.delta_memory.cuda.product.plan import BackwardArguments, Segment


class Gradients(NamedTuple):
    """Of the first arguments of a forward, None for what was not given or is not wanted."""

    outer_key: Tensor
    inner_key: Tensor
    values: Tensor
    strength: Tensor
    chain: Tensor | None
    query: Tensor | None
    memory: Tensor | None


def empty_gradients(call: BackwardArguments) -> Gradients:
    """Allocate the gradients."""

    def new(tensor: Tensor | None, like: Tensor | None = None) -> Tensor | None:
        return None if tensor is None else torch.empty_like(tensor)

    keys = (call.outer_key, call.inner_key, call.values, call.strength)
    outer, inner, values, strength = map(torch.empty_like, keys)
    memory = new(call.memory) if call.wants_memory else None
    return Gradients(outer, inner, values, strength, new(call.chain), new(call.query), memory)


class Backward(NamedTuple):
    """The buffers of a backward.

    Attributes:
        links: of reads that have a gradient.
        read: ∂x of every link, [rows, time, links, value].
        next: ∂n that a link hands to the one before, [rows, time, outer].
        flow: ∂ℓ of a step's reads, [rows, time].
        writes, found, faded: ∂u of all but later look-ups; ∂f; ∂f as its block's start sees it; [rows, time, value].
        squares: ∂κ, [rows, time].
        norm: ρ at a segment's start, [rows].
    """

    links: int
    read: Tensor
    next: Tensor
    flow: Tensor
    writes: Tensor
    found: Tensor
    faded: Tensor
    squares: Tensor
    norm: Tensor


def run_backward(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Return the gradients of the first arguments of the forward."""
    given, results = call.forward, empty_gradients(call)
    links = 0 if call.retrieved_gradient is None else given.links
    if not links:  # what was retrieved has no gradient, and so its queries have none
        results = results._replace(
            **{
                name: None if each is None else each.zero_()
                for name, each in (("chain", results.chain), ("query", results.query))
            }
        )
    like, (rows, time, value) = given.values, given.values.shape
    new = like.new_empty
    work = Backward(
        links,
        new(rows, time, links, value),
        torch.empty_like(given.outer_key),
        new(rows, time),
        torch.empty_like(like),
        torch.empty_like(like),
        torch.empty_like(like),
        new(rows, time),
        new(rows),
    )
    run = Pass(given, call.saved)
    end, after = call.final_gradient, call.final
    for segment in reversed(run.segments):
        end = _segment_back(run, segment, work, call, results, end, after)
        start = run.start(segment)
        after = after if start is None else start
    return results


def _segment_back(
    run: Pass, segment: Segment, work: Backward, call: BackwardArguments, results: Gradients, end: Tensor | None,
    after: Tensor,
) -> Tensor | None:  # fmt: skip
    """Run a segment backwards, `end` being the gradient by F after it; returns that by F before it, where wanted."""
    run.accumulate_decay(segment)
    run.multiply_keys(segment, faded=True)
    _reads_back(run, segment, work, call, results, end)
    _writes_back(run, segment, work, results, end, after)
    start = run.start(segment)
    if start is None or not (segment.number or call.wants_memory):
        return None
    target = torch.empty_like(start) if segment.number else results.memory
    assert target is not None
    return _start_back(run, segment, work, start, end, target)


def _reads_back(
    run: Pass,
    segment: Segment,
    work: Backward,
    call: BackwardArguments,
    results: Gradients,
    end: Tensor | None,
) -> None:
    """The gradients of reads and of F at the end: by queries, by writes, by keys."""
    given, saved, scratch, links = run.call, run.saved, run.scratch, work.links
    start, over, grid = run.start(segment), run.over(segment), (segment.blocks,)
    decays = (scratch.decay, scratch.before, scratch.whole)
    common = {"LINKS": links, "CARRIED": start is not None, "STRICT": False}
    memory = given.values if start is None else start
    queries = (run.chain, given.query) if links else (given.values, given.values)
    for link in range(links - 1, -1, -1):
        last = link == links - 1
        launch(
            backward.normalise_back, (run.rows, *grid), call.retrieved_gradient if last else work.next,
            call.retrieved if last else run.chain, saved.scale, work.flow, work.read, *over, link,
            0 if last else link + 1, LINKS=links, OUT_LINKS=1 if last else links, NORM=given.norm, FLOWS=given.clamp,
            LAST=last, EPS=given.eps, **run.plan.constants(*VALUES, precise=False),
        )  # fmt: skip
        run.parallel(
            backward.query_back, (*grid, 1), memory, work.read, *queries, given.outer_key, given.inner_key,
            saved.writes, saved.tailed, *decays, work.next if link else results.chain, *over, link,
            sizes=ALL, BY_OUTER=True, BACK_LINKS=1, **common,
        )  # fmt: skip
    if links:
        run.parallel(
            backward.query_back, (*grid, links), memory, work.read, *queries, given.inner_key, given.outer_key,
            saved.writes, saved.tailed, *decays, results.query, *over, 0, sizes=ALL, BY_OUTER=False,
            BACK_LINKS=links, **common,
        )  # fmt: skip
    common = {"LINKS": links, "ENDS": end is not None}
    memory = given.values if end is None else end
    keys = (given.outer_key, given.inner_key)
    run.parallel(
        backward.gradient_of_writes, grid, memory, work.read, *queries, *keys, scratch.decay, scratch.before,
        scratch.tail, scratch.whole, work.writes, *over, sizes=ALL, **common,
    )  # fmt: skip
    for by_outer, target in ((True, results.outer_key), (False, results.inner_key)):
        own, other = queries if by_outer else queries[::-1]
        run.parallel(
            backward.key_back, grid, memory, work.read, own, other, *keys, saved.writes, saved.tailed, *decays,
            target, *over, sizes=ALL, BY_OUTER=by_outer, STRICT=False, **common,
        )  # fmt: skip


def _writes_back(
    run: Pass,
    segment: Segment,
    work: Backward,
    results: Gradients,
    end: Tensor | None,
    after: Tensor,
) -> None:
    """The gradients of the steps in turn, and of what they found, which is a read with their own keys."""
    given, saved, scratch = run.call, run.saved, run.scratch
    start, over, grid = run.start(segment), run.over(segment), (segment.blocks,)
    ends = end is not None and given.clamp
    flow_at_end = (end * after).flatten(1).sum(1) if end is not None and given.clamp else work.norm
    launch(
        writes.write_back, (run.rows,), scratch.products, given.values, given.strength, saved.found, saved.writes,
        saved.grown, work.flow, flow_at_end, scratch.before, scratch.tail, scratch.whole, work.writes, work.found,
        work.faded, results.values, results.strength, work.squares, work.norm, *over, segment.blocks,
        warps=run.plan.step_warps, stages=1, DELTA=given.delta, CLAMP=given.clamp, FLOWS=work.links > 0, ENDS=ends,
        **run.plan.constants(*VALUES),
    )  # fmt: skip
    if not (given.delta or given.clamp):
        return
    keys, decays = (
        (given.outer_key, given.inner_key),
        (scratch.decay, scratch.before, scratch.whole),
    )
    memory = given.values if start is None else start
    common = {"sizes": ALL, "LINKS": 1, "STRICT": True}
    for by_outer, target in ((True, results.outer_key), (False, results.inner_key)):
        own, other = keys if by_outer else keys[::-1]
        run.parallel(
            backward.query_back, (*grid, 1), memory, work.found, *keys, own, other, saved.writes, saved.tailed,
            *decays, target, *over, 0, BY_OUTER=by_outer, BACK_LINKS=1, CARRIED=start is not None,
            **common,
        )  # fmt: skip
        run.parallel(
            backward.key_back, grid, given.values, work.found, own, other, *keys, saved.writes, saved.tailed,
            *decays, target, *over, BY_OUTER=by_outer, ENDS=False, **common,
        )  # fmt: skip
    if given.clamp:
        launch(
            backward.squares_back, (run.rows, *grid), work.squares, *keys, results.outer_key, results.inner_key,
            *over, **run.plan.constants(*KEYS, precise=False),
        )  # fmt: skip


def _start_back(
    run: Pass, segment: Segment, work: Backward, start: Tensor, end: Tensor | None, target: Tensor
) -> Tensor:
    """The gradient by F at a segment's start."""
    given, links = run.call, work.links
    queries = (run.chain, given.query) if links else (given.values, given.values)
    run.parallel(
        backward.start_back, (run.plan.sizes["OUTER"],), start, given.values if end is None else end, work.norm,
        work.read, *queries, work.found, given.outer_key, given.inner_key, run.scratch.before, run.scratch.whole,
        target, *run.over(segment), segment.blocks, sizes=PARTS, LINKS=links, ENDS=end is not None,
        CLAMP=given.clamp, FINDS=given.delta or given.clamp,
    )  # fmt: skip
    return target
