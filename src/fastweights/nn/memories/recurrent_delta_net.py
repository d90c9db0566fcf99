"""Recurrent DeltaNet: a delta memory whose keys, values, queries and strengths depend on what it last read."""

from __future__ import annotations

from typing import NamedTuple, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import elu

from fastweights.nn.memories.matrix_rnn import MatrixRNN, outer, retrieved
from fastweights.nn.parts.construction import LayerOptions


class RecurrentDeltaNetState(NamedTuple):
    """hidden [batch, hidden], what was last read, and memory [batch, heads, key, value]."""

    hidden: Float[Tensor, "batch hidden"]
    memory: Float[Tensor, "batch heads key value"]


class RecurrentDeltaNet(MatrixRNN[RecurrentDeltaNetState]):
    """A memory written by the delta rule, which is given what it last read beside the input.

        q, k, v, β = W x + R tanh(y(t-1))                           φ(a) = (elu(a) + 1) / Σ (elu(a) + 1)
        F(t)       = F(t-1) + σ(β) (v − F(t-1) φ(k)) φ(k)ᵀ
        y(t)       = F(t) φ(q)

    Each head has its own q, k, v, β and F; R sees what all heads read, where the published one has a
    matrix for each head. The published layer adds to y a projection and the input, and normalises.

    Args:
        input_size: features of x.
        hidden_size: features of y, and of all heads' values together.
        heads: memories side by side, each with its share of the features.
        key_size: features of a head's keys; None means hidden_size / heads.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: input.weight [rows of q, k, v, β, each by heads; input] (W), recurrent.weight [as many rows,
    hidden] (R); no biases.

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Irie, Schlag, Csordás & Schmidhuber, "Going Beyond Linear Transformers with Recurrent Fast
    Weight Programmers", NeurIPS 2021, section 3.2.

    Example:
        >>> y, state = RecurrentDeltaNet(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 8]))
    """

    state_type = RecurrentDeltaNetState

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
        self.input = nn.Linear(input_size, heads * sum(self.parts), bias=False)
        self.recurrent = nn.Linear(hidden_size, heads * sum(self.parts), bias=False)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.hidden_size,), (self.heads, self.parts[0], self.value_size)

    def advance(
        self, drive: Float[Tensor, "batch drive"], state: RecurrentDeltaNetState
    ) -> tuple[Float[Tensor, "batch hidden"], RecurrentDeltaNetState]:
        before = torch.tanh(state.hidden).to(self.reference_parameter.dtype)
        q, k, v, beta = self.split(drive + self.recurrent(before).to(drive.dtype), self.parts)
        q, k = _shares(q), _shares(k)
        written = torch.sigmoid(beta) * (v - retrieved(state.memory, k))
        memory = state.memory + outer(k, written)
        y = retrieved(memory, q).flatten(1)
        return y, RecurrentDeltaNetState(y, memory)


def _shares(x: Float[Tensor, "batch heads key"]) -> Float[Tensor, "batch heads key"]:
    positive = elu(x) + 1
    return positive / positive.sum(-1, keepdim=True)
