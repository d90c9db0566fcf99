"""Norms of the gradients that reach fast weights, slow weights and hidden states."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Int, Shaped
from torch import Tensor, nn


@runtime_checkable
class Stepped(Protocol):
    """A model that runs step by step."""

    def initial_state(self, batch: int) -> Any: ...

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]: ...


def gradient_norms(
    model: Stepped, inputs: Shaped[Tensor, "batch time ..."], answer: Int[Tensor, " batch"]
) -> dict[str, float]:
    """Compare the gradient that reaches the fast weights A(t) with that of the slow weights W.

    If the first is far smaller, learning cannot find the memory. The sequences are run step by
    step, so that every A(t) exists, whatever the model's fused form does.

    Args:
        model: its fast weights are the fields named `memory` of its state.
        inputs: the sequences, of classes or of vectors.
        answer: the class to be given at the last step.

    Returns:
        `fast_gradient_norm`: ‖∂L/∂A(t)‖ of one sequence's loss over all t (root mean square over
        the sequences); `slow_gradient_norm`: ‖∂L/∂W‖ of the mean loss, W the recurrent weights (all
        of the backbone's weights where there are none of that name). Empty for a model without fast
        weights.
    """
    if not memories(model.initial_state(len(inputs))):
        return {}
    with torch.enable_grad():
        loss, written = _loss(model, inputs, answer, memories)
        slow = _slow_weights(model)
        gradients = torch.autograd.grad(loss, [*written, *slow], allow_unused=True)
    # The mean loss holds each sequence's with weight 1 / batch; the sum of squares over them asks
    # for √batch back.
    return {
        "fast_gradient_norm": math.sqrt(len(inputs)) * _norm(gradients[: len(written)]),
        "slow_gradient_norm": _norm(gradients[len(written) :]),
    }


def hidden_gradient_norms(
    model: Stepped, inputs: Shaped[Tensor, "batch time ..."], answer: Int[Tensor, " batch"]
) -> list[float]:
    """Measure how much of the loss's gradient reaches the hidden state of each step.

    Args:
        model: one whose state has a field named `hidden`.
        inputs: the sequences, of classes or of vectors.
        answer: the class to be given at the last step.

    Returns:
        ‖∂L/∂h(t)‖ of one sequence's loss for every step t (root mean square over the sequences).
    """
    with torch.enable_grad():
        loss, hidden = _loss(model, inputs, answer, lambda state: [state.hidden])
        gradients = torch.autograd.grad(loss, hidden, allow_unused=True)
    return [math.sqrt(len(inputs)) * _norm([gradient]) for gradient in gradients]


def memories(state: object) -> list[Tensor]:
    """List the fast memories of a state: the fields named `memory`, however deeply nested.

    Example:
        >>> from typing import NamedTuple
        >>> class State(NamedTuple):
        ...     hidden: Tensor
        ...     memory: Tensor
        >>> state = State(torch.zeros(2, 3), torch.zeros(2, 3, 3))
        >>> [memory.shape for memory in memories((state, None))]
        [torch.Size([2, 3, 3])]
    """
    if not isinstance(state, tuple):
        return []
    found = []
    for name, part in zip(getattr(state, "_fields", [""] * len(state)), state, strict=True):
        if name == "memory" and isinstance(part, Tensor):
            found.append(part)
        else:
            found += memories(part)
    return found


def _loss(
    model: Stepped, inputs: Tensor, answer: Tensor, chosen: Callable[[Any], list[Tensor]]
) -> tuple[Tensor, list[Tensor]]:
    """Compute the loss at the last step, and what is chosen of the state after every step."""
    state, logits, found = model.initial_state(len(inputs)), torch.empty(0), []
    for x in inputs.unbind(1):
        logits, state = model.step(x, state)
        found += chosen(state)
    return F.cross_entropy(logits, answer), found


def _slow_weights(model: Stepped) -> list[nn.Parameter]:
    backbone = getattr(model, "backbone", model)
    assert isinstance(backbone, nn.Module)
    named = list(backbone.named_parameters())
    recurrent = [weight for name, weight in named if name.endswith("recurrent.weight")]
    return recurrent or [weight for _, weight in named]


def _norm(gradients: Iterable[Tensor | None]) -> float:
    squares = [gradient.double().square().sum() for gradient in gradients if gradient is not None]
    return math.sqrt(float(sum(squares)))
