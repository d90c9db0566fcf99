"""The fused memory with autograd; see `ops.autograd`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from fastweights.ops.autograd import Fused, Kept
from fastweights.ops.delta_memory.cpu.launch import (
    Arguments,
    BackwardArguments,
    empty_gradients,
    new_retrieved,
    run_backward,
    run_forward,
    sizes_of,
)
from fastweights.ops.delta_memory.cpu.plan import lay_out


def _fake_forward(call: Arguments) -> tuple[Tensor, Tensor, Tensor]:
    plan, new = lay_out(sizes_of(call)), call.values.new_empty
    return new_retrieved(call), new(call.memory_shape), new(plan.rows * plan.saved_stride)


def _keep(call: Arguments, results: Sequence[Tensor], saved: Tensor) -> Kept:
    return Kept((saved, *call[:10]), call[10:])


fused_memory = Fused(
    "delta_memory",
    Arguments,
    BackwardArguments,
    results=2,
    gradients=8,
    optional=("memory", "gate"),
    strided=("inner_key", "values", "query", "retrieved_gradient"),
    forward=run_forward,
    clean_forward=partial(run_forward, clean=True),
    backward=run_backward,
    fake_forward=_fake_forward,
    fake_backward=empty_gradients,
    keep=_keep,
    alternative="backends 'reference' and 'chunked' have one",
)
