"""Titans' long-term memory, the linear one: gradient descent with momentum and forgetting, a step a token."""

from __future__ import annotations

from typing import NamedTuple, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from fastweights.nn.memories.delta_net import unit
from fastweights.nn.memories.matrix_rnn import MatrixRNN, outer, retrieved
from fastweights.nn.parts.construction import LayerOptions

BIASES = (0.0, 0.0, -4.0)
"""The logits of θ, η and α start at these: of a surprise half is learned, and of F a fiftieth is lost a step."""


class TitansState(NamedTuple):
    """memory and momentum [batch, heads, key, value]."""

    memory: Float[Tensor, "batch heads key value"]
    momentum: Float[Tensor, "batch heads key value"]


class Titans(MatrixRNN[TitansState]):
    """A matrix trained while it is used: each step goes down the gradient of ½ ‖v − F k‖², with momentum.

        q, k, v = SiLU(W_q x + b_q), SiLU(W_k x + b_k), SiLU(W_v x + b_v);         q, k scaled to norm 1
        θ, η, α = σ(W_g x + b)                                     the rate, the momentum, the forgetting
        S(t)    = η S(t-1) + θ (v − F(t-1) k) kᵀ
        F(t)    = (1 − α) F(t-1) + S(t)
        y(t)    = F(t) q

    Each head has its own q, k, v, θ, η, α, S and F. The memory alone, with a gradient for each token: the
    published layer takes the gradients of a chunk at its first memory, has a deep network in the place of F, and
    short convolutions, a normalisation and a gate around it.

    Args:
        input_size: features of x.
        hidden_size: features of y, and of all heads' values together.
        heads: memories side by side, each with its share of the features.
        key_size: features of a head's keys; None means hidden_size / heads.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: input.weight [rows of q, k, v, θ, η, α, each by heads; input] and input.bias, of θ and η 0 and of α
    −4 at the start.

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Behrouz, Zhong & Mirrokni, "Titans: Learning to Memorize at Test Time", arXiv:2501.00663, eq. 9 to 14.

    Example:
        >>> y, state = Titans(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape, state.momentum.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 8]), torch.Size([4, 2, 8, 8]))
    """

    state_type = TitansState

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
        self.parts = [size, size, self.value_size, 1, 1, 1]
        self.input = nn.Linear(input_size, heads * sum(self.parts))
        with torch.no_grad():
            self.input.bias[-3 * heads :] = torch.tensor(BIASES).repeat_interleave(heads)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        shape = self.heads, self.parts[0], self.value_size
        return shape, shape

    def advance(
        self, drive: Float[Tensor, "batch drive"], state: TitansState
    ) -> tuple[Float[Tensor, "batch hidden"], TitansState]:
        q, k, v, *gates = self.split(drive, self.parts)
        q, k, v = unit(silu(q)), unit(silu(k)), silu(v)
        theta, eta, alpha = (torch.sigmoid(gate) for gate in gates)
        surprise = theta * (v - retrieved(state.memory, k))
        momentum = eta[..., None] * state.momentum + outer(k, surprise)
        memory = (1 - alpha[..., None]) * state.memory + momentum
        return retrieved(memory, q).flatten(1), TitansState(memory, momentum)
