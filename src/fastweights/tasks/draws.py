"""Random choices for many rows at once, from a given generator."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

BYTES = 256
"""Kinds of which a number fits a byte: what takes long is the memory."""


def distinct(
    count: int, chosen: int, kinds: int, generator: torch.Generator
) -> Int[Tensor, "count chosen"]:
    """Draw rows of distinct integers below `kinds`, every ordered choice equally likely.

    The i-th draw is a rank among the kinds - i not yet taken (a Lehmer code); decoding it from the back makes room
    for each earlier choice. Far cheaper than sorting random numbers.

    Args:
        count: rows.
        chosen: integers in a row, at most `kinds`.
        kinds: how many integers there are.
        generator: what is drawn from.

    Example:
        >>> rows = distinct(1000, 3, 3, torch.Generator().manual_seed(0))
        >>> rows.sort(1).values.unique(dim=0).tolist(), len(rows.unique(dim=0))
        ([[0, 1, 2]], 6)
    """
    dtype = torch.uint8 if kinds <= BYTES else torch.int64
    columns = [
        torch.randint(
            kinds - i, (count,), generator=generator, dtype=dtype, device=generator.device
        )
        for i in range(chosen)
    ]
    for i in reversed(range(chosen)):
        for later in range(i + 1, chosen):
            columns[later] += columns[later] >= columns[i]
    return torch.stack(columns, 1).long()


def weighted(
    count: int, chosen: int, weights: Float[Tensor, " kinds"], generator: torch.Generator
) -> Int[Tensor, "count chosen"]:
    """Draw rows of distinct integers one after the other, each with the weights of those that are left.

    The largest of log w plus Gumbel noise come in that order (Kool, van Hoof & Welling 2019).

    Example:
        >>> weighted(2, 2, torch.tensor([1.0, 0.0, 1.0]), torch.Generator().manual_seed(0)).sort(1).values.tolist()
        [[0, 2], [0, 2]]
    """
    uniform = torch.rand(
        count, len(weights), generator=generator, device=generator.device, dtype=torch.float64
    )
    noise = -torch.log(-torch.log(uniform.clamp(min=1e-300)))
    return (weights.to(uniform).log() + noise).topk(chosen, dim=1).indices
