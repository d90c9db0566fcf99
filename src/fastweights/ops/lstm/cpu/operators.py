"""The fused LSTM as two torch operators, so that autograd, `torch.compile` and export know it.

    fastweights::lstm_forward(gates, classes, W, h(0), c(0), lengths, keep) -> (outputs, h, c, saved)
    fastweights::lstm_backward(∂outputs, ∂h, ∂c, outputs, saved, …) -> (∂gates, ∂W, ∂h(0), ∂c(0))

`saved` is what the backward needs of the forward, in the kernels' own layout.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fastweights.ops.lstm.cpu.launch import empty_gradients, plan_of, run_backward, run_forward
from fastweights.ops.lstm.cpu.plan import lay_out
from fastweights.ops.tracing import recorded

_FORWARD = (
    "(Tensor gates, Tensor? classes, Tensor recurrent_weight, Tensor? hidden, Tensor? cell, "
    "Tensor? lengths, bool keep) -> (Tensor, Tensor, Tensor, Tensor)"
)
_BACKWARD = (
    "(Tensor? outputs_gradient, Tensor? hidden_gradient, Tensor? cell_gradient, Tensor outputs, "
    "Tensor saved, Tensor? classes, Tensor recurrent_weight, Tensor? hidden, Tensor? lengths, "
    "bool has_cell, SymInt rows) -> (Tensor, Tensor, Tensor, Tensor)"
)


def _whole(like: Tensor, results: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
    """An operator returns tensors only: an empty one stands for None."""
    return tuple(like.new_empty(0) if x is None else x for x in results)


def _forward(*arguments: Any) -> tuple[Tensor, ...]:
    return run_forward(*arguments)


def _backward(*arguments: Any) -> tuple[Tensor, ...]:
    return _whole(arguments[3], run_backward(*arguments))


forward_op = torch.library.custom_op(
    "fastweights::lstm_forward", _forward, mutates_args=(), schema=_FORWARD
)
backward_op = torch.library.custom_op(
    "fastweights::lstm_backward", _backward, mutates_args=(), schema=_BACKWARD
)


@forward_op.register_fake
def _(gates: Tensor, classes: Tensor | None, weight: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    hidden, _, _, keep = rest
    steps, size = (gates if classes is None else classes).shape[:2], weight.shape[1]
    given = (hidden is not None, classes is not None, keep)
    _, needed = plan_of(gates, steps, size, *given, lay_out)
    new = gates.new_empty
    return new(*steps, size), new(steps[0], size), new(steps[0], size), new(needed)


@backward_op.register_fake
def _(*arguments: Any) -> tuple[Tensor, ...]:
    *_, outputs, _, classes, _, hidden, _, has_cell, rows = arguments
    looked_up = None if classes is None else rows
    return _whole(outputs, empty_gradients(outputs, looked_up, hidden is not None, has_cell))


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    gates, classes, weight, hidden, cell, lengths, _ = inputs
    ctx.mark_non_differentiable(output[3])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[0], output[3], classes, weight, hidden, lengths)
    ctx.options = (cell is not None, len(gates))


def _differentiate(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
    return _gradients(ctx, backward_op, gradients[:3], ctx.saved_tensors)


def _gradients(
    ctx: Any, run: Any, gradients: tuple[Any, ...], saved: tuple[Any, ...]
) -> tuple[Any, ...]:
    """The gradients of what the forward took: gates, classes, W, h(0), c(0), lengths, keep."""
    wants = ctx.needs_input_grad
    if all(gradient is None for gradient in gradients):
        return (None,) * 7
    gates, weight, hidden, cell = run(*gradients, *saved, *ctx.options)
    results = (gates, None, weight, hidden, cell, None, None)
    return tuple(x if wanted else None for x, wanted in zip(results, wants, strict=True))


def _no_second_derivative(ctx: Any, *gradients: Any) -> Any:
    raise RuntimeError(
        "the fused LSTM has no second derivative; backend 'reference' has one, "
        "and so has the layer's backend 'torch'"
    )


forward_op.register_autograd(_differentiate, setup_context=_keep)
backward_op.register_autograd(_no_second_derivative)


class Recurrence(torch.autograd.Function):
    """The operators without the dispatcher, which would take as long as a small batch takes to run."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        gates, classes, weight, hidden, cell, lengths, _ = arguments
        outputs, last_hidden, last_cell, saved = run_forward(*arguments)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(outputs, saved, classes, weight, hidden, lengths)
        ctx.options = (cell is not None, len(gates))
        return outputs, last_hidden, last_cell

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        run: Any = backward_op if torch.is_grad_enabled() else run_backward
        return _gradients(ctx, run, gradients, ctx.saved_tensors)


def recurrence(*tensors: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Run the forward with autograd: as an operator where something traces it, directly otherwise."""
    run: Any = Recurrence.apply
    if recorded():
        run = forward_op
    elif not (torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors)):
        run = run_forward
    return run(*tensors, run is not run_forward)[:3]
