"""How two key factors become one key, and what that makes of inner products."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def combined(
    factors: tuple[Float[Tensor, "*lead _"], ...], combine: str
) -> Float[Tensor, "*lead key"]:
    """Return the key itself: the one factor there is, vec(k1 ⊗ k2), or [k1; k2].

    Example:
        >>> combined((torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])), "product").tolist()
        [3.0, 4.0, 6.0, 8.0]
    """
    if len(factors) == 1:
        return factors[0]
    if combine == "concat":
        return torch.cat(factors, -1)
    first, second = factors
    return (first.unsqueeze(-1) * second.unsqueeze(-2)).flatten(-2)


def key_shape(sizes: tuple[int, ...], combine: str) -> tuple[int, ...]:
    """Return the memory's dimensions that keys of these sizes address.

    Example:
        >>> key_shape((3, 4), "product"), key_shape((3, 4), "concat"), key_shape((3,), "product")
        ((3, 4), (7,), (3,))
    """
    return (sum(sizes),) if combine == "concat" else sizes
