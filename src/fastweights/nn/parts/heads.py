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


def heads_a_key(heads: int, key_heads: int) -> int:
    """Return how many value heads share the keys and queries of one key head.

    Raises:
        UserError: if the key heads do not divide the value heads.
    """
    if heads % key_heads:
        raise UserError(f"heads is {heads}; accepted with {key_heads} key heads: a multiple")
    return heads // key_heads


def share_heads(
    x: Float[Tensor, "batch keys time head"], times: int
) -> Float[Tensor, "batch heads time head"]:
    """Repeat each key head, its copies side by side, for the value heads that share it.

    Example:
        >>> import torch
        >>> share_heads(torch.tensor([1.0, 2.0]).view(1, 2, 1, 1), 2).flatten().tolist()
        [1.0, 1.0, 2.0, 2.0]
    """
    return x if times == 1 else x.repeat_interleave(times, 1)


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
