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


def products(
    left: tuple[Float[Tensor, "*lead rows _"], ...],
    right: tuple[Float[Tensor, "*lead columns _"], ...],
    combine: str = "product",
) -> Float[Tensor, "*lead rows columns"]:
    """Return all inner products of two sets of keys from their factors, without making a key.

    Example:
        >>> a, b = torch.randn(2, 4, 3, dtype=torch.float64), torch.randn(2, 5, 3, dtype=torch.float64)
        >>> whole = combined(tuple(a), "product") @ combined(tuple(b), "product").T
        >>> torch.allclose(products(tuple(a), tuple(b)), whole)
        True
    """
    each = [a @ b.mT for a, b in zip(left, right, strict=True)]
    if len(each) == 1:
        return each[0]
    return each[0] + each[1] if combine == "concat" else each[0] * each[1]


def key_shape(sizes: tuple[int, ...], combine: str) -> tuple[int, ...]:
    """Return the memory's dimensions that keys of these sizes address.

    Example:
        >>> key_shape((3, 4), "product"), key_shape((3, 4), "concat"), key_shape((3,), "product")
        ((3, 4), (7,), (3,))
    """
    return (sum(sizes),) if combine == "concat" and len(sizes) == 2 else sizes


def start(
    keys: tuple[Float[Tensor, "batch time _"], ...],
    values: Float[Tensor, "batch time value"],
    memory: Float[Tensor, "batch *keys value"] | None,
    combine: str,
) -> Float[Tensor, "batch *keys value"]:
    """Return the memory given, or zeros for None."""
    if memory is not None:
        return memory
    sizes = tuple(factor.shape[-1] for factor in keys)
    return values.new_zeros(values.shape[0], *key_shape(sizes, combine), values.shape[-1])
