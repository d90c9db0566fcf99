"""Two matrices with few features between them, in the place of one."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn


class LowRank(nn.Module):
    """U f(D x) + b.

    Args:
        input_size: features of x.
        rank: features between the matrices.
        output_size: features of the result.
        bias: whether there is b.
        activation: f; None: there is none.

    Parameters: down.weight [rank, input] (D), up.weight [output, rank] (U), up.bias [output] (b).

    Example:
        >>> import torch
        >>> LowRank(8, 2, 5)(torch.randn(3, 8)).shape
        torch.Size([3, 5])
    """

    def __init__(
        self,
        input_size: int,
        rank: int,
        output_size: int,
        *,
        bias: bool = False,
        activation: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.down = nn.Linear(input_size, rank, bias=False)
        self.up = nn.Linear(rank, output_size, bias=bias)
        self.activation = activation

    def forward(self, x: Float[Tensor, "*any input"]) -> Float[Tensor, "*any output"]:
        hidden = self.down(x)
        return self.up(hidden if self.activation is None else self.activation(hidden))
