"""The fused recurrence with autograd; see `ops.autograd`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from fastweights.ops.autograd import Fused, Kept
from fastweights.ops.fast_weight_rnn.cuda.launch import (
    Arguments,
    BackwardArguments,
    empty_gradients,
    run_backward,
    run_forward,
    saved_size,
)


def _fake_forward(call: Arguments) -> tuple[Tensor, Tensor]:
    return call.drive.new_empty(call.drive.shape), call.drive.new_empty(saved_size(call))


def _keep(call: Arguments, results: Sequence[Tensor], saved: Tensor) -> Kept:
    tensors = (
        saved, call.recurrent_weight, call.norm_weight, call.preliminary_norm_weight, call.hidden,
        call.decay, call.rate,
    )  # fmt: skip
    return Kept(tensors, (call.steps, call.use_tanh, call.flat, call.memory is not None))


recurrence = Fused(
    "fast_weight_rnn_cuda",
    Arguments,
    BackwardArguments,
    results=1,
    gradients=10,
    optional=("memory", "decay", "rate"),
    forward=run_forward,
    clean_forward=partial(run_forward, clean=True),
    backward=run_backward,
    fake_forward=_fake_forward,
    fake_backward=empty_gradients,
    keep=_keep,
    alternative="backend 'chunked' has one",
)
