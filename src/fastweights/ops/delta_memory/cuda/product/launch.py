"""How the forward is started: one segment of time after the other."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from fastweights.kernels.triton.launch import launch
from fastweights.ops.delta_memory.cuda.product import forward, writes
from fastweights.ops.delta_memory.cuda.product.plan import (
    STAGES,
    Arguments,
    Segment,
    plan_of,
    saved_size,
    segments,
    split,
)

KEYS = ("OUTER", "SO", "INNER", "SI")
VALUES = ("VALUE", "SV")
PARTS = ("OUTER", "INNER", "SI", "VALUE", "SV")
ALL = (*KEYS, *VALUES)


class Scratch(NamedTuple):
    """What is computed anew in each segment; rows are padded to whole blocks.

    Attributes:
        products: K, [rows, steps, steps].
        decay: D within blocks, [rows, steps, C].
        before, tail: [rows, steps].
        whole: the product of a block's factors, [rows, blocks].
    """

    products: Tensor
    decay: Tensor
    before: Tensor
    tail: Tensor
    whole: Tensor


class Pass:
    """One direction over one call: what its launches have in common."""

    def __init__(self, call: Arguments, saved: Tensor) -> None:
        self.call, self.plan, self.saved = call, plan_of(call), split(call, saved)
        self.rows, self.total = call.values.shape[:2]
        self.segments = list(segments(call, self.plan.block))
        self.chain = self.saved.chain if call.links > 1 else call.chain
        most, new = max(each.blocks for each in self.segments), call.values.new_empty
        block = self.plan.block
        steps = most * block
        self.scratch = Scratch(
            new(self.rows * steps * steps),
            new(self.rows * steps * block),
            new(self.rows * steps),
            new(self.rows * steps),
            new(self.rows * most),
        )

    def start(self, segment: Segment) -> Tensor | None:
        """Return F at a segment's start; None for zeros."""
        return self.saved.starts[segment.number - 1] if segment.number else self.call.memory

    def over(self, segment: Segment) -> tuple[int, int, int]:
        """Return which steps a segment has, as every kernel takes it."""
        return self.total, segment.first, segment.steps

    def parallel(
        self,
        kernel: Any,
        grid: tuple[int, ...],
        *given: Any,
        sizes: tuple[str, ...],
        **constants: Any,
    ) -> None:
        """Start a kernel over rows and more, with the constants that sizes make and others."""
        constants = self.plan.constants(*sizes) | constants
        launch(
            kernel, (self.rows, *grid), *given, warps=self.plan.warps, stages=STAGES, **constants
        )

    def multiply_keys(self, segment: Segment, *, faded: bool) -> None:
        """Compute K."""
        call, scratch = self.call, self.scratch
        self.parallel(
            forward.multiply_keys, (segment.blocks, segment.blocks), call.outer_key, call.inner_key, scratch.decay,
            scratch.products, *self.over(segment), sizes=KEYS, FADED=faded,
        )  # fmt: skip

    def accumulate_decay(self, segment: Segment) -> None:
        """Compute the decays within blocks."""
        scratch, block = self.scratch, self.plan.block
        launch(
            forward.accumulate_decay, (self.rows, segment.blocks), self.saved.factors, scratch.decay, scratch.before,
            scratch.tail, scratch.whole, *self.over(segment), C=block,
        )  # fmt: skip


def run_forward(call: Arguments, *, clean: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Return what is retrieved, the final memory and `saved`, with no chance bits between its parts where `clean`."""
    like = call.values
    saved = (like.new_zeros if clean else like.new_empty)(saved_size(call))
    retrieved = like.new_empty(call.values.shape if call.links else 0)
    final = like.new_empty(call.memory_shape)
    run = Pass(call, saved)
    if call.chain is not None and call.links > 1:
        run.saved.chain[:, :, 0].copy_(call.chain)
    for segment in run.segments:
        _write(run, segment)
        _read(run, segment, retrieved)
        _end(run, segment, final)
    return retrieved, final, saved


def _write(run: Pass, segment: Segment) -> None:
    call, saved, scratch, start = run.call, run.saved, run.scratch, run.start(segment)
    over, norm = run.over(segment), call.values
    if start is not None:
        norm = start.flatten(1).square().sum(1)
        run.parallel(
            forward.find,
            (segment.blocks,),
            start,
            call.outer_key,
            call.inner_key,
            saved.found,
            *over,
            sizes=PARTS,
        )
    run.multiply_keys(segment, faded=False)
    launch(
        writes.write, (run.rows,), scratch.products, call.values, call.strength, norm,
        call.values if call.real is None else call.real, saved.found, saved.writes, saved.tailed, saved.factors,
        saved.grown, scratch.whole, *over, segment.blocks, warps=run.plan.step_warps, CARRIED=start is not None,
        MASKED=call.real is not None, DELTA=call.delta, CLAMP=call.clamp, **run.plan.constants(*VALUES),
    )  # fmt: skip
    run.accumulate_decay(segment)


def _read(run: Pass, segment: Segment, retrieved: Tensor) -> None:
    call, saved, scratch, start = run.call, run.saved, run.scratch, run.start(segment)
    links = call.links
    for link in range(links):
        last = link == links - 1
        run.parallel(
            forward.read, (segment.blocks,), call.values if start is None else start, run.chain, call.query,
            call.outer_key, call.inner_key, saved.writes, saved.tailed, scratch.decay, scratch.before, scratch.whole,
            retrieved if last else saved.chain, saved.scale, *run.over(segment), link, 0 if last else link + 1,
            sizes=ALL, LINKS=links, OUT_LINKS=1 if last else links, CARRIED=start is not None, NORM=call.norm,
            EPS=call.eps,
        )  # fmt: skip


def _end(run: Pass, segment: Segment, final: Tensor) -> None:
    call, start = run.call, run.start(segment)
    following = segment.number < len(run.segments) - 1
    run.parallel(
        forward.end, (run.plan.sizes["OUTER"],), call.values if start is None else start, call.outer_key,
        call.inner_key, run.saved.tailed, run.scratch.whole,
        run.saved.starts[segment.number] if following else final, *run.over(segment), segment.blocks, sizes=PARTS,
        CARRIED=start is not None,
    )  # fmt: skip
