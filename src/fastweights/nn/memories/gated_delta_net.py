"""Gated DeltaNet: the delta rule with a forgetting rate that every step sets."""

from __future__ import annotations

import math
from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu, softplus

from fastweights.nn.backbone import Input, Mask
from fastweights.nn.memories.delta_net import DeltaNet, DeltaNetState
from fastweights.nn.memories.memory_layer import Access
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.heads import by_heads

RATES = 16.0
"""A starts uniform between 0 and this."""
STEP_SIZES = (0.001, 0.1)
"""softplus(dt) starts log-uniform between these."""


class GatedDeltaNet(DeltaNet):
    """DeltaNet whose memory fades before each write, and whose reads pass a gate.

        q, k, v = SiLU(conv(W_q x)), SiLU(conv(W_k x)), SiLU(conv(W_v x));   q, k scaled to norm 1
        α       = exp(−A softplus(W_α x + dt))                               β = σ(W_β x)
        F(t)    = α F(t-1) + β (v − α F(t-1) k) kᵀ
        y(t)    = W_o (RMSNorm(F(t) q) ⊙ SiLU(W_g x))

    Each head has its own q, k, v, α, β and F; A > 0 and dt are learned numbers of a head. The rest
    is as in `DeltaNet`.

    Args:
        input_size: features of x.
        hidden_size: features of y.
        heads: memories side by side.
        key_size: features of a head's keys; None means hidden_size / heads.
        value_size: features of a head's values; None means 2 · key_size, as published.
        convolution: steps that conv sees, the present one included; None leaves it out.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: those of `DeltaNet`, and decay.weight [heads, input] (W_α), decay_bias [heads] (dt),
    log_rate [heads] (log A), gate.weight [heads · value, input] (W_g).

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Yang, Kautz & Hatamizadeh, "Gated Delta Networks: Improving Mamba2 with Delta Rule", ICLR
    2025, eq. 10 and section 3.4.

    Example:
        >>> y, state = GatedDeltaNet(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape, state.recent.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 16]), torch.Size([4, 3, 64]))
    """

    gating = "step"
    values_per_key = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int = 1,
        key_size: int | None = None,
        value_size: int | None = None,
        convolution: int | None = 4,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            heads=heads,
            key_size=key_size,
            value_size=value_size,
            convolution=convolution,
            backend=backend,
        )
        self.decay = nn.Linear(input_size, heads, bias=False)
        low, high = (math.log(size) for size in STEP_SIZES)
        size = torch.empty(heads).uniform_(low, high).exp()
        self.decay_bias = nn.Parameter(size + torch.log(-torch.expm1(-size)))  # softplus undone
        self.log_rate = nn.Parameter(torch.log(RATES * (1 - torch.rand(heads))))  # never log 0
        self.gate = nn.Linear(input_size, self.parts[2], bias=False)

    def access(
        self, x: Input, state: DeltaNetState | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        access, rest = super().access(x, state, mask)
        step_size = softplus(by_heads(self.decay(x)) + self.decay_bias[:, None])
        return access._replace(gate=torch.exp(-self.log_rate.exp()[:, None] * step_size)), rest

    def output(
        self, retrieved: Float[Tensor, "batch heads time value"], x: Input
    ) -> Float[Tensor, "batch time hidden"]:
        return self.out(self.normed(retrieved) * silu(self.gate(x)))
