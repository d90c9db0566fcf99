"""The fused memory with autograd; see `ops.autograd`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from fastweights.ops.autograd import Fused, Kept
from fastweights.ops.delta_memory.cuda.vector.launch import run_forward
from fastweights.ops.delta_memory.cuda.vector.launch_backward import run_backward
from fastweights.ops.delta_memory.cuda.vector.plan import (
    Arguments,
    BackwardArguments,
    empty_gradients,
    saved_size,
)


def _fake_forward(call: Arguments) -> tuple[Tensor, Tensor, Tensor]:
    rows, time, K = call.keys.shape
    V, new = call.values.shape[2], call.keys.new_empty
    outputs = new((0,) if call.queries is None else (rows, time, V))
    return outputs, new(rows, K, V), new(saved_size(call))


def _keep(call: Arguments, results: Sequence[Tensor], saved: Tensor) -> Kept:
    values = call.values if call.erase is None else None
    tensors = (saved, call.keys, values, call.gate, call.erase, call.queries)
    return Kept(tensors, (call.values.shape[2], call.memory is not None))


vector_memory = Fused(
    "vector_memory_cuda",
    Arguments,
    BackwardArguments,
    results=2,
    gradients=6,
    optional=("gate",),
    forward=run_forward,
    clean_forward=partial(run_forward, clean=True),
    backward=run_backward,
    fake_forward=_fake_forward,
    fake_backward=empty_gradients,
    keep=_keep,
    alternative="backend 'chunked' has one",
)
