"""Heads: features split into groups, each with a memory of its own."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from fastweights.errors import UserError


def head_size(hidden_size: int, heads: int) -> int:
    """Return the features of each head.

    Raises:
        UserError: if the heads cannot be of one size.
    """
    if hidden_size % heads:
        raise UserError(f"hidden_size is {hidden_size}; accepted with {heads} heads: a multiple")
    return hidden_size // heads


def split_heads(
    x: Float[Tensor, "batch time features"], heads: int
) -> Float[Tensor, "batch {heads} time head"]:
    """Split the features by heads, in memory as the op flattens them.

    Example:
        >>> import torch
        >>> split_heads(torch.arange(4.0).view(1, 1, 4), 2).tolist()
        [[[[0.0, 1.0]], [[2.0, 3.0]]]]
    """
    return x.unflatten(2, (heads, -1)).transpose(1, 2).contiguous()


def by_heads(x: Float[Tensor, "batch time heads"]) -> Float[Tensor, "batch heads time"]:
    """Move the heads' dimension before time."""
    return x.transpose(1, 2).contiguous()


def merge_heads(
    x: Float[Tensor, "batch heads time head"],
) -> Float[Tensor, "batch time features"]:
    """Undo `split_heads`."""
    return x.transpose(1, 2).flatten(2)
