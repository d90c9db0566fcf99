"""Encoders: tokens in, vectors out."""

from __future__ import annotations

from typing import TypeGuard

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class OneHot(nn.Module):
    """Integer classes as one-hot vectors, in the dtype and on the device the module was moved to.

    Args:
        classes: how many classes there are.

    Example:
        >>> OneHot(3)(torch.tensor([[2, 0]])).tolist()
        [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]
    """

    identity: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("identity", torch.eye(classes), persistent=False)

    def forward(self, tokens: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape classes"]:
        return F.embedding(tokens, self.identity)

    def extra_repr(self) -> str:
        return str(self.classes)


def is_lookup(encoder: nn.Module) -> TypeGuard[nn.Embedding]:
    """Say whether an encoder does nothing but look rows of its weight up, forward and backward.

    Example:
        >>> is_lookup(nn.Embedding(3, 4)), is_lookup(nn.Embedding(3, 4, max_norm=1.0))
        (True, False)
    """
    return (
        type(encoder) is nn.Embedding
        and encoder.padding_idx is None
        and encoder.max_norm is None
        and not (encoder.scale_grad_by_freq or encoder.sparse)
    )
