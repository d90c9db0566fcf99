"""The fused LSTM with autograd; see `ops.autograd`."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from fastweights.ops.autograd import Fused, Kept
from fastweights.ops.lstm.cpu.launch import (
    Arguments,
    BackwardArguments,
    empty_gradients,
    run_backward,
    run_forward,
    sizes_of,
)
from fastweights.ops.lstm.cpu.plan import lay_out


def _fake_forward(call: Arguments) -> tuple[Tensor, ...]:
    sizes = sizes_of(call, call.gates if call.classes is None else call.classes)
    batch, time, size = sizes[:3]
    new = call.gates.new_empty
    saved = new(lay_out(sizes, call.keep).saved)
    return new(batch, time, size), new(batch, size), new(batch, size), saved


def _keep(call: Arguments, results: Sequence[Tensor], saved: Tensor) -> Kept:
    tensors = (results[0], saved, call.classes, call.recurrent_weight, call.hidden, call.lengths)
    return Kept(tensors, (call.cell is not None, call.gates.shape[0]))


recurrence = Fused(
    "lstm",
    Arguments,
    BackwardArguments,
    results=3,
    gradients=6,
    forward=run_forward,
    backward=run_backward,
    fake_forward=_fake_forward,
    fake_backward=empty_gradients,
    keep=_keep,
    alternative="backend 'reference' has one, and so has the layer's backend 'torch'",
)
