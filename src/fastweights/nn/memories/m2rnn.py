"""M²RNN: a nonlinear recurrence whose hidden state is a matrix."""

from __future__ import annotations

from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.nn.memories.matrix_rnn import MatrixRNN, MatrixState, outer, retrieved
from fastweights.nn.parts.construction import LayerOptions

FORGET_BIAS = 2.0
"""σ of this is how much of F a step keeps at the start."""


class M2RNN(MatrixRNN[MatrixState]):
    """A matrix that passes a matrix product and a tanh in each step, as the vector of a plain RNN does.

        q, k, v, f = W_q x, W_k x, W_v x, σ(w_f·x + b)                         f one number a head
        Z          = tanh(F(t-1) W + v kᵀ)
        F(t)       = f F(t-1) + (1 − f) Z
        y(t)       = F(t) q

    Each head has its own q, k, v, f, F and W. The memory alone: normalisation, output gate and
    projections of the published block are for what stands around it.

    Args:
        input_size: features of x.
        hidden_size: features of y, and of all heads' values together.
        heads: memories side by side, each with its share of the features.
        key_size: features of a head's keys; None means hidden_size / heads.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: input.weight [rows of q, k, v, f, each by heads; input] and input.bias, of f 2 at the start and
    else 0, transition [heads, key, key] (W), the identity at the start.

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Mishra, Tan, Stoica, Gonzalez & Dao, "M²RNN: Non-Linear RNNs with Matrix-Valued States for
    Scalable Language Modeling", arXiv:2603.14360.

    Example:
        >>> y, state = M2RNN(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 8]))
    """

    state_type = MatrixState

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int = 1,
        key_size: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(input_size, hidden_size, heads, key_size)
        size = self.key_size
        self.parts = [size, size, self.value_size, 1]
        self.input = nn.Linear(input_size, heads * sum(self.parts))
        self.transition = nn.Parameter(torch.eye(size).repeat(heads, 1, 1))
        nn.init.zeros_(self.input.bias)
        nn.init.constant_(self.input.bias[-heads:], FORGET_BIAS)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.heads, self.parts[0], self.value_size),)

    def advance(
        self, drive: Float[Tensor, "batch drive"], state: MatrixState
    ) -> tuple[Float[Tensor, "batch hidden"], MatrixState]:
        q, k, v, forget = self.split(drive, self.parts)
        f = torch.sigmoid(forget)[..., None]
        passed = self.transition.to(drive.dtype).mT @ state.memory
        memory = f * state.memory + (1 - f) * torch.tanh(passed + outer(k, v))
        return retrieved(memory, q).flatten(1), MatrixState(memory)
