"""Several writes of a step, one after the other in time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor


def interleave(
    writes: Sequence[Shaped[Tensor, "*lead time"] | Shaped[Tensor, "*lead time features"]], dim: int
) -> Shaped[Tensor, ...]:
    """Return what each write of a step has, a place in time for each.

    Args:
        writes: a tensor for each write, all of one shape.
        dim: the dimension of time.

    Example:
        >>> interleave([torch.tensor([[1, 2]]), torch.tensor([[10, 20]])], 1)
        tensor([[ 1, 10,  2, 20]])
    """
    if len(writes) == 1:
        return writes[0]
    return torch.stack(list(writes), dim + 1).flatten(dim, dim + 1)
