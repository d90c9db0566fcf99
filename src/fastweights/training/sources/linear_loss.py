"""Cross-entropy after a linear layer of many classes, without all logits at once.

The logits of a segment of text are its words times the vocabulary: with their softmax and its gradient hundreds of
megabytes, written and read several times, for which the machine waits longer than for half of the products. Here they
are made for some rows at a time; the loss and every gradient are taken while they lie in the cache, and are all that
stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.autograd import function

from fastweights.models import SequenceModel

# Untyped: by its types it would change the signature of what it decorates.
_once: Any = function.once_differentiable

_PRODUCT = 3 << 20
"""Logits made by one product: fewer, and the weights are read too often."""

_SOFTMAX = 1 << 18
"""Logits whose softmax is taken at once: these lie in the cache of one core."""


def next_word_loss(
    model: nn.Module, words: Int64[Tensor, "rows words"], state: object
) -> tuple[Float[Tensor, ""], object]:
    """Compute the mean cross-entropy of every word of a segment of text but the first, and the state before the last.

    Args:
        model: called as `logits, state = model(words, state)`; a `SequenceModel` by way of `linear_cross_entropy`,
            where that stands for its head.
        words: [rows, words].
        state: to go on from; None: zeros.

    Example:
        >>> from fastweights.models import from_config, model_config
        >>> model = from_config(model_config("lstm", input=8, hidden=4, classes=8))
        >>> words = torch.arange(8).view(2, 4)
        >>> loss, state = next_word_loss(model, words, None)
        >>> logits, _ = model(words[:, :-1])
        >>> torch.testing.assert_close(loss, F.cross_entropy(logits.flatten(0, 1), words[:, 1:].flatten()))
    """
    targets = words[:, 1:].flatten()
    if isinstance(model, SequenceModel) and fuses(model.head):
        features, state = model(words[:, :-1], state, apply_head=False)
        return linear_cross_entropy(features.flatten(0, 1), model.head, targets), state
    logits, state = model(words[:, :-1], state)
    return F.cross_entropy(logits.flatten(0, 1), targets), state


def fuses(head: nn.Module) -> TypeGuard[nn.Linear]:
    """Check whether `linear_cross_entropy` stands for a head: a linear layer on a CPU without hooks.

    Under autocast it is the head that chooses the type of its products. On other devices nothing was measured.
    """
    return (
        type(head) is nn.Linear  # not a subclass, as a parametrised layer is one
        and head.weight.device.type == "cpu"
        and head.weight.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not (head._forward_hooks or head._forward_pre_hooks or head._backward_hooks)
    )


def linear_cross_entropy(
    x: Float[Tensor, "rows features"], head: nn.Linear, targets: Int64[Tensor, " rows"]
) -> Float[Tensor, ""]:
    """Compute the mean cross-entropy of `head(x)`, as `torch.nn.functional.cross_entropy` has it.

    Gradients are taken in the forward pass; there are none of second order. The loss is in nats, of x's type.

    Example:
        >>> head = nn.Linear(4, 1000)
        >>> x, targets = torch.randn(6, 4), torch.arange(6)
        >>> loss = linear_cross_entropy(x, head, targets)
        >>> torch.testing.assert_close(loss, nn.functional.cross_entropy(head(x), targets))
    """
    loss = _Loss.apply(x, head.weight, head.bias, targets)
    assert isinstance(loss, Tensor)
    return loss


def logits_of(
    x: Float[Tensor, "rows features"],
    weight: Float[Tensor, "classes features"],
    bias: Float[Tensor, " classes"] | None,
) -> Iterator[tuple[slice, Float[Tensor, "some classes"]]]:
    """Compute the logits of some rows at a time, without gradients: which rows, and memory that is used again.

    Example:
        >>> head = nn.Linear(4, 1000)
        >>> sum(len(logits) for _, logits in logits_of(torch.randn(6, 4), head.weight, head.bias))
        6
    """
    space = x.new_empty(_block(len(x), len(weight)), len(weight))
    for start in range(0, len(x), len(space)):
        rows = slice(start, min(start + len(space), len(x)))
        logits = space[: rows.stop - start]
        with torch.no_grad():
            if bias is None:
                torch.mm(x[rows], weight.t(), out=logits)
            else:
                torch.addmm(bias, x[rows], weight.t(), out=logits)
        yield rows, logits


def _block(rows: int, classes: int) -> int:
    """Return of how many rows a product is, so that all have about as many."""
    return -(-rows // max(1, -(-rows * classes // _PRODUCT)))


class _Loss(torch.autograd.Function):
    """The loss, whose gradients wait in the context."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor
    ) -> Tensor:
        by_x, by_weight, by_bias = (
            torch.zeros_like(tensor) if tensor is not None and needed else None
            for tensor, needed in zip((x, weight, bias), ctx.needs_input_grad, strict=False)
        )
        part = max(1, _SOFTMAX // len(weight))
        total = x.new_zeros((), dtype=torch.float64)
        for rows, logits in logits_of(x, weight, bias):
            for some, right in zip(logits.split(part), targets[rows].split(part), strict=True):
                total += _to_gradient(some, right[:, None])
            if by_x is not None:
                torch.mm(logits, weight, out=by_x[rows])
            if by_weight is not None:
                by_weight.addmm_(logits.t(), x[rows])
            if by_bias is not None:
                by_bias += logits.sum(0)
        ctx.rows = len(x)
        ctx.save_for_backward(by_x, by_weight, by_bias)
        return (total / len(x)).to(x.dtype)

    @staticmethod
    @_once
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        share = gradients[0] / ctx.rows
        taken = (None if each is None else each * share for each in ctx.saved_tensors)
        return (*taken, None)


def _to_gradient(
    logits: Float[Tensor, "rows classes"], right: Int64[Tensor, "rows 1"]
) -> Float[Tensor, ""]:
    """Sum the losses of some rows; their logits become softmax - 1[right], in place."""
    most = logits.amax(1, keepdim=True)
    of_right = logits.gather(1, right)
    total = logits.sub_(most).exp_().sum(1, keepdim=True)
    logits.mul_(total.reciprocal())
    logits.scatter_add_(1, right, torch.full_like(most, -1.0))
    return (total.log() + most - of_right).sum(dtype=torch.float64)
