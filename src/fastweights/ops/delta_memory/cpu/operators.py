"""The fused memory as two torch operators, so that autograd, `torch.compile` and export know it.

    fastweights::delta_memory_forward(keys, values, …) -> (retrieved, memory, saved)
    fastweights::delta_memory_backward(∂retrieved, ∂memory, saved, keys, values, …) -> (∂keys, ∂values, …)

`saved` is what the backward needs of the forward, in the kernels' own layout.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fastweights.ops.delta_memory.cpu.launch import (
    Given,
    contiguous,
    empty_gradients,
    new_retrieved,
    plan_of,
    run_backward,
    run_forward,
)
from fastweights.ops.delta_memory.cpu.plan import Options
from fastweights.ops.tracing import recorded

_TENSORS = (
    "Tensor? outer_key, Tensor inner_key, Tensor values, Tensor strength, Tensor? chain, Tensor? query, "
    "Tensor? memory, Tensor? gate, Tensor? real, Tensor? read_mask"
)
_OPTIONS = "bool delta, bool clamp, int head, bool norm, int chunk, float eps"
_FORWARD = f"({_TENSORS}, {_OPTIONS}) -> (Tensor, Tensor, Tensor)"
_BACKWARD = (
    f"(Tensor? retrieved_gradient, Tensor? final_gradient, Tensor saved, {_TENSORS}, {_OPTIONS}, "
    f"bool wants_memory, bool wants_gate) -> ({', '.join(['Tensor'] * 8)})"
)
TENSORS = len(Given._fields)
DIFFERENTIABLE = 8  # all of them but the two masks
MEMORY, GATE = 6, 7


def _call(arguments: tuple[Any, ...]) -> tuple[Given, Options, float]:
    """Sort the arguments of the forward."""
    *options, eps = arguments[TENSORS:]
    return contiguous(arguments[:TENSORS]), Options(*options), eps


def _forward(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    return run_forward(*_call(arguments), clean=True)


def _backward(
    retrieved_gradient: Tensor | None, final_gradient: Tensor | None, saved: Tensor, *arguments: Any
) -> tuple[Tensor, ...]:
    call = _call(arguments[:-2])
    results = run_backward(retrieved_gradient, final_gradient, saved, *call, *arguments[-2:])
    return _whole(saved, results)


def _whole(like: Tensor, results: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
    """An operator returns tensors only: an empty one stands for None."""
    return tuple(like.new_empty(0) if x is None else x for x in results)


forward_op = torch.library.custom_op(
    "fastweights::delta_memory_forward", _forward, mutates_args=(), schema=_FORWARD
)
backward_op = torch.library.custom_op(
    "fastweights::delta_memory_backward", _backward, mutates_args=(), schema=_BACKWARD
)


@forward_op.register_fake
def _(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    given, options, _ = _call(arguments)
    plan = plan_of(given, options, symbolic=True)
    values = given.values
    saved = values.new_empty(plan.rows * plan.saved_stride)
    return new_retrieved(given), values.new_empty(given.memory_shape), saved


@backward_op.register_fake
def _(_retrieved: Any, _final: Any, saved: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    given, _, _ = _call(arguments[:-2])
    return _whole(saved, empty_gradients(given, *arguments[-2:], all_read=True))


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    retrieved, _, saved = output
    ctx.mark_non_differentiable(*((saved,) if inputs[5] is not None else (retrieved, saved)))
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(saved, *inputs[:TENSORS])
    ctx.options = inputs[TENSORS:]


def _differentiate(
    ctx: Any, retrieved_gradient: Tensor | None, final_gradient: Tensor | None, _saved: None
) -> tuple[Any, ...]:
    wants = ctx.needs_input_grad
    if retrieved_gradient is None and final_gradient is None:
        return (None,) * len(wants)
    saved, *tensors = ctx.saved_tensors
    results = backward_op(
        retrieved_gradient,
        final_gradient,
        saved,
        *tensors,
        *ctx.options,
        wants[MEMORY],
        wants[GATE],
    )
    return (*_wanted(results, wants), *(None,) * (len(wants) - DIFFERENTIABLE))


def _wanted(results: tuple[Any, ...], wants: tuple[bool, ...]) -> tuple[Any, ...]:
    return tuple(x if wanted else None for x, wanted in zip(results, wants, strict=False))


def _no_second_derivative(ctx: Any, *gradients: Any) -> Any:
    raise RuntimeError(
        "the fused delta memory has no second derivative; backends 'reference' and 'chunked' have one"
    )


forward_op.register_autograd(_differentiate, setup_context=_keep)
backward_op.register_autograd(_no_second_derivative)


class Memory(torch.autograd.Function):
    """The operators without the dispatcher, which would take as long as a small batch takes to run."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        *tensors, options, eps = arguments
        given = contiguous(tuple(tensors))
        retrieved, final, saved = run_forward(given, options, eps)
        ctx.save_for_backward(saved, *given)
        ctx.options = (options, eps)
        ctx.set_materialize_grads(False)
        if given.query is None:
            ctx.mark_non_differentiable(retrieved)
        return retrieved, final

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        wants = ctx.needs_input_grad
        if gradients[0] is None and gradients[1] is None:
            return (None,) * len(wants)
        saved, *tensors = ctx.saved_tensors
        given, (options, eps) = Given(*tensors), ctx.options
        received = (gradients[0], gradients[1], saved)
        wanted = (wants[MEMORY], wants[GATE])
        if torch.is_grad_enabled():
            results: Any = backward_op(*received, *given, *options, eps, *wanted)
        else:
            results = run_backward(*received, given, options, eps, *wanted)
        return (*_wanted(results, wants[:DIFFERENTIABLE]), *(None,) * 4)


def fused_memory(given: Given, options: Options, eps: float) -> tuple[Tensor, Tensor]:
    """Run the forward with autograd: as an operator where something traces it, directly otherwise."""
    if recorded():
        retrieved, final, _ = forward_op(*given, *options, eps)
        return retrieved, final
    if not torch.is_grad_enabled():
        retrieved, final, _ = run_forward(contiguous(given), options, eps)
        return retrieved, final
    return Memory.apply(*given, options, eps)
