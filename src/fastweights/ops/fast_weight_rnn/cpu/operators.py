"""The fused recurrence with autograd; see `ops.autograd`."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from fastweights.ops.autograd import Fused, Kept
from fastweights.ops.fast_weight_rnn.cpu.launch import (
    Arguments,
    BackwardArguments,
    empty_gradients,
    run_backward,
    run_forward,
    sizes_of,
)
from fastweights.ops.fast_weight_rnn.cpu.plan import lay_out


def _fake_forward(call: Arguments) -> tuple[Tensor, Tensor]:
    plan = lay_out(sizes_of(call.drive, call, call.hidden is not None, call.memory is not None))
    drive = call.drive
    return drive.new_empty(drive.shape), drive.new_empty(plan.blocks * plan.saved_stride)


def _keep(call: Arguments, results: Sequence[Tensor], saved: Tensor) -> Kept:
    tensors = (
        saved, call.recurrent_weight, call.norm_weight, call.preliminary_norm_weight, call.decay,
        call.rate,
    )  # fmt: skip
    options = (
        call.decay_value, call.rate_value, call.steps, call.use_tanh, call.flat, call.chunk,
        call.hidden is not None, call.memory is not None,
    )  # fmt: skip
    return Kept(tensors, options)


recurrence = Fused(
    "fast_weight_rnn",
    Arguments,
    BackwardArguments,
    results=1,
    gradients=10,
    optional=("decay", "rate"),
    forward=run_forward,
    backward=run_backward,
    fake_forward=_fake_forward,
    fake_backward=empty_gradients,
    keep=_keep,
    alternative="backend 'chunked' has one",
)
