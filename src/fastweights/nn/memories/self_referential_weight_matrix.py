"""A self-referential weight matrix: it computes its own changes, and so the rule by which it changes."""

from __future__ import annotations

from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.nn.memories.matrix_rnn import MatrixRNN, MatrixState, outer, retrieved
from fastweights.nn.parts.construction import LayerOptions

RATES = 4
"""Learning rates: of the rows of y, k, q and β apart."""


class SelfReferentialWeightMatrix(MatrixRNN[MatrixState]):
    """A matrix that is asked with the input for an output, a key, a query and learning rates, and writes itself.

        [y; k; q; β] = F(t-1) φ(W x + b)                                   φ = softmax
        F(t)         = F(t-1) + σ(β) (F(t-1) φ(q) − F(t-1) φ(k)) φ(k)ᵀ

    What stands under k becomes what stands under q. β are four numbers, one each for the rows of y, k, q
    and β. F(0) is learned; the state is what has been added to it. Each head has its own F, and its share
    of W x. The published layer adds to y a projection and the input, and normalises.

    Args:
        input_size: features of x.
        hidden_size: features of y, and of W x.
        heads: matrices side by side, each with its share of the features.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: input.weight [hidden, input] (W), input.bias [hidden] (b), initial [heads, hidden / heads, rows
    of y, k, q, β] (F(0), transposed), which starts normal with standard deviation (hidden / heads)^−½.

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Irie, Schlag, Csordás & Schmidhuber, "A Modern Self-Referential Weight Matrix That Learns to
    Modify Itself", ICML 2022, eq. 5 to 9.

    Example:
        >>> y, state = SelfReferentialWeightMatrix(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 28]))
    """

    state_type = MatrixState

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int = 1,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(input_size, hidden_size, heads)
        self.input = nn.Linear(input_size, hidden_size)
        size = self.value_size
        self.rows = [size, size, size, RATES]
        self.initial = nn.Parameter(torch.randn(heads, size, sum(self.rows)) / size**0.5)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.heads, self.value_size, sum(self.rows)),)

    def advance(
        self, drive: Float[Tensor, "batch hidden"], state: MatrixState
    ) -> tuple[Float[Tensor, "batch hidden"], MatrixState]:
        F = self.initial.to(drive.dtype) + state.memory
        (x,) = self.split(drive, [self.value_size])
        y, k, q, beta = retrieved(F, torch.softmax(x, -1)).split(self.rows, -1)
        k, q = torch.softmax(k, -1), torch.softmax(q, -1)
        rates = torch.cat(
            [
                rate.expand(*rate.shape[:2], rows)
                for rate, rows in zip(torch.sigmoid(beta).split(1, -1), self.rows, strict=True)
            ],
            -1,
        )
        change = outer(k, rates * retrieved(F, q - k))
        return y.flatten(1), MatrixState(state.memory + change)
