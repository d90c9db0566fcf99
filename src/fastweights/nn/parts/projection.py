"""Linear layers on class indices, and at some steps of a sequence only."""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn

from fastweights.nn.parts.plain import is_plain
from fastweights.nn.parts.reference import reference_tensor
from fastweights.ops.tracing import is_open, may_look


def project(
    linear: nn.Module, x: Float[Tensor, "*any input"] | Integer[Tensor, "*any"]
) -> Float[Tensor, "*any features"]:
    """Return C x + b; where x holds classes, their columns of C, which is the same and faster.

    Example:
        >>> import torch
        >>> linear = nn.Linear(3, 2)
        >>> one_hot = torch.eye(3)[[2, 0]]
        >>> torch.allclose(project(linear, torch.tensor([2, 0])), project(linear, one_hot))
        True
    """
    if x.is_floating_point():
        return linear(x)
    if not is_plain(linear):
        size = next(part.in_features for part in linear.modules() if hasattr(part, "in_features"))
        dtype = reference_tensor(linear).dtype
        return linear(F.one_hot(x.long(), cast("int", size)).to(dtype))
    linear = cast("nn.Linear", linear)
    table, classes = linear.weight.t(), x.flatten()
    count = classes.numel()
    few = is_open(count) or count < linear.in_features
    table = table.index_select(0, classes) if few else table.contiguous()
    if linear.bias is not None:
        table = table + linear.bias
    return (table if few else table.index_select(0, classes)).unflatten(0, x.shape)


def project_at(
    linear: nn.Module,
    x: Float[Tensor, "batch time input"],
    steps: Bool[Tensor, "batch time"] | None,
) -> Float[Tensor, "batch time features"]:
    """Apply a linear layer at the marked steps only (None: all); elsewhere 0.

    Where few are marked that is most of the work saved. On a GPU, asking which they are would wait
    for it, and a compiled graph has no such sizes: there it is applied everywhere.

    Example:
        >>> import torch
        >>> x, steps = torch.ones(1, 3, 2), torch.tensor([[False, True, False]])
        >>> project_at(nn.Linear(2, 4), x, steps)[0, ::2].count_nonzero().item()
        0
    """
    if steps is None:
        return linear(x)
    if not may_look(x):
        return linear(x).masked_fill(~steps[:, :, None], 0)
    chosen = steps.flatten().nonzero().squeeze(1)
    y = linear(x.flatten(0, 1).index_select(0, chosen))
    return y.new_zeros(steps.numel(), y.shape[1]).index_copy(0, chosen, y).unflatten(0, steps.shape)
