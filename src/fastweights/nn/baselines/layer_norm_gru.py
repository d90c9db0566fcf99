"""The gated recurrent unit with layer normalisation (Ba, Kiros & Hinton 2016)."""

from __future__ import annotations

import math
from typing import Unpack

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from fastweights.nn.backbone import HiddenState
from fastweights.nn.baselines.unrolled import Unrolled
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import LayerOptions


class LayerNormGRU(Unrolled[HiddenState, HiddenState]):
    """A GRU whose input and recurrent sums are normalised apart.

        [z, r] = LN(W_h h(t-1)) + LN(W_x x(t))
        ĥ      = tanh(LN(W x(t)) + σ(r) ⊙ LN(U h(t-1)))
        h(t)   = (1 − σ(z)) ⊙ h(t-1) + σ(z) ⊙ ĥ

    Each of the four LNs has its own gain and bias; the two of the gates normalise over z and r
    together, as published. The LN biases are the layer's only ones.

    Args:
        input_size: features of x.
        hidden_size: H, the features of h.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Raises:
        UserError: for a size that is not positive.

    Source: Ba, Kiros & Hinton, "Layer Normalization", 2016, supplement.

    Example:
        >>> y, state = LayerNormGRU(8, 16)(torch.randn(4, 11, 8))
        >>> y.shape, state.hidden.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 16]))
    """

    def __init__(self, input_size: int, hidden_size: int, **options: Unpack[LayerOptions]) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.input = nn.Linear(input_size, 3 * hidden_size, bias=False)
        self.recurrent = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.input_gate_norm = nn.LayerNorm(2 * hidden_size)
        self.input_norm = nn.LayerNorm(hidden_size)
        self.recurrent_gate_norm = nn.LayerNorm(2 * hidden_size)
        self.recurrent_norm = nn.LayerNorm(hidden_size)
        bound = 1 / math.sqrt(hidden_size)
        nn.init.uniform_(self.input.weight, -bound, bound)
        nn.init.uniform_(self.recurrent.weight, -bound, bound)

    def drive(
        self, x: Float[Tensor, "*any input"] | Integer[Tensor, "*any"]
    ) -> Float[Tensor, "*any drive"]:
        gates, candidate = self._split(super().drive(x))
        return torch.cat([self.input_gate_norm(gates), self.input_norm(candidate)], -1)

    def cell(self, drive: Float[Tensor, "batch drive"], state: HiddenState) -> HiddenState:
        h = state.hidden
        gates_x, candidate_x = self._split(drive)
        gates_h, candidate_h = self._split(self.recurrent(h))
        gates = torch.sigmoid(self.recurrent_gate_norm(gates_h) + gates_x).to(h.dtype)
        z, r = gates.chunk(2, -1)
        candidate = torch.tanh(candidate_x + r * self.recurrent_norm(candidate_h))
        return HiddenState(torch.lerp(h, candidate.to(h.dtype), z))

    def _split(
        self, sums: Float[Tensor, "*any sums"]
    ) -> tuple[Float[Tensor, "*any gates"], Float[Tensor, "*any hidden"]]:
        """Split the three stacked sums into those of the gates z, r and that of the candidate."""
        gates, candidate = sums.split([2 * self.hidden_size, self.hidden_size], -1)
        return gates, candidate

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"
