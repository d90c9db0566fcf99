"""The fused recurrence as two torch operators, so that autograd, `torch.compile` and export know it.

    fastweights::fast_weight_rnn_forward(drive, W, …) -> (outputs, saved)
    fastweights::fast_weight_rnn_backward(∂outputs, saved, W, …) -> (∂drive, ∂W, …)

`saved` is what the backward needs of the forward, in the kernels' own layout.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fastweights.ops.fast_weight_rnn.cpu.launch import (
    empty_gradients,
    plan_of,
    run_backward,
    run_forward,
)
from fastweights.ops.tracing import recorded

_SCALARS = "Tensor? decay, Tensor? rate, float decay_value, float rate_value"
_FORWARD = (
    "(Tensor drive, Tensor recurrent_weight, Tensor? norm_weight, Tensor? norm_bias, "
    "Tensor? preliminary_norm_weight, Tensor? preliminary_norm_bias, Tensor? hidden, Tensor? memory, "
    f"{_SCALARS}, int steps, bool use_tanh, bool flat, float norm_eps, int chunk) -> (Tensor, Tensor)"
)
_BACKWARD = (
    "(Tensor gradient, Tensor saved, Tensor recurrent_weight, Tensor? norm_weight, "
    f"Tensor? preliminary_norm_weight, {_SCALARS}, int steps, bool use_tanh, bool flat, int chunk, "
    f"bool has_hidden, bool has_memory, bool wants_scalars) -> ({', '.join(['Tensor'] * 9)})"
)


def _whole(gradient: Tensor, results: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
    """An operator returns tensors only: an empty one stands for None."""
    return tuple(gradient.new_empty(0) if x is None else x for x in results)


def _forward(*arguments: Any) -> tuple[Tensor, Tensor]:
    return run_forward(*arguments)


def _backward(gradient: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    return _whole(gradient, run_backward(gradient, *arguments))


forward_op = torch.library.custom_op(
    "fastweights::fast_weight_rnn_forward", _forward, mutates_args=(), schema=_FORWARD
)
backward_op = torch.library.custom_op(
    "fastweights::fast_weight_rnn_backward", _backward, mutates_args=(), schema=_BACKWARD
)


@forward_op.register_fake
def _(drive: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    _, gain, _, first_gain, _, hidden, memory, *_, steps, use_tanh, flat, _, chunk = arguments
    given = (gain is not None, first_gain is not None, hidden is not None, memory is not None)
    plan = plan_of(drive.shape, drive.dtype, given, steps, use_tanh, flat, chunk)
    return drive.new_empty(drive.shape), drive.new_empty(plan.blocks * plan.saved_stride)


@backward_op.register_fake
def _(gradient: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    _, _, gain, first_gain, *_, has_hidden, has_memory, wants_scalars = arguments
    given = (gain is not None, first_gain is not None, has_hidden, has_memory)
    return _whole(gradient, empty_gradients(gradient, given, wants_scalars))


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _, weight, gain, _, first_gain, _, hidden, memory, decay, rate, *options = inputs
    decay_value, rate_value, steps, use_tanh, flat, _, chunk = options
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1], weight, gain, first_gain, decay, rate)
    ctx.options = (decay_value, rate_value, steps, use_tanh, flat, chunk)
    ctx.given = (hidden is not None, memory is not None)


def _differentiate(ctx: Any, gradient: Tensor | None, _saved: None) -> tuple[Any, ...]:
    wants = ctx.needs_input_grad
    if gradient is None:
        return (None,) * len(wants)
    wants_scalars = wants[8] or wants[9]
    results = backward_op(gradient, *ctx.saved_tensors, *ctx.options, *ctx.given, wants_scalars)
    return (*_wanted(results, wants), *(None,) * (len(wants) - 10))


def _wanted(results: tuple[Any, ...], wants: tuple[bool, ...]) -> tuple[Any, ...]:
    """The gradients of the ten tensors of the forward: drive, W, four of norms, h(0), A(0), λ, η."""
    scalars = results[8] if wants[8] or wants[9] else (None, None)
    return tuple(
        x if wanted else None for x, wanted in zip((*results[:8], *scalars), wants, strict=False)
    )


def _no_second_derivative(ctx: Any, *gradients: Any) -> Any:
    raise RuntimeError(
        "the fused fast-weights RNN has no second derivative; backend 'chunked' has one"
    )


forward_op.register_autograd(_differentiate, setup_context=_keep)
backward_op.register_autograd(_no_second_derivative)


class Recurrence(torch.autograd.Function):
    """The operators without the dispatcher, which would take as long as a small batch takes to run."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        *tensors, options = arguments
        outputs, saved = run_forward(*tensors, *options)
        _, weight, gain, _, first_gain, _, hidden, memory, decay, rate = tensors
        decay_value, rate_value, steps, use_tanh, flat, _, chunk = options
        ctx.save_for_backward(saved, weight, gain, first_gain, decay, rate)
        given = (hidden is not None, memory is not None)
        ctx.options = (decay_value, rate_value, steps, use_tanh, flat, chunk, *given)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        run: Any = backward_op if torch.is_grad_enabled() else run_backward
        wants = ctx.needs_input_grad
        results = run(gradients[0], *ctx.saved_tensors, *ctx.options, wants[8] or wants[9])
        return (*_wanted(results, wants[:10]), None)


def recurrence(*arguments: Any) -> Tensor:
    """Run the forward with autograd: as an operator where something traces it, directly otherwise."""
    if recorded():
        return forward_op(*arguments)[0]
    if not torch.is_grad_enabled():
        return run_forward(*arguments)[0]
    return Recurrence.apply(*arguments[:10], arguments[10:])
