"""Layer normalisation of each head by itself, with a gain for every feature of every head."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from fastweights.nn.parts.heads import merge_heads


class HeadNorm(nn.Module):
    """LN over the features of a head, then a gain, and a bias if asked for, for each feature; heads side by side.

    Args:
        features: of all heads together.
        eps: ε of LN.
        bias: whether there is one.

    Parameters: weight [features], bias [features].

    Example:
        >>> HeadNorm(8, 1e-5)(torch.randn(3, 2, 5, 4)).shape
        torch.Size([3, 5, 8])
    """

    def __init__(self, features: int, eps: float, *, bias: bool = False) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features)) if bias else None

    def forward(
        self, x: Float[Tensor, "batch heads time head"]
    ) -> Float[Tensor, "batch time features"]:
        normed = merge_heads(layer_norm(x, x.shape[3:], eps=self.eps)).to(self.weight.dtype)
        return normed * self.weight if self.bias is None else normed * self.weight + self.bias

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, ε={self.eps:g}, bias={self.bias is not None}"
