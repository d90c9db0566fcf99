"""Gated DeltaNet: the delta rule with a forgetting rate that every step sets."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu, softplus

from fastweights.nn.backbone import Input, Mask
from fastweights.nn.memories.delta_net import DeltaNet, DeltaNetState
from fastweights.nn.memories.memory_layer import Access
from fastweights.nn.parts.heads import by_heads
from fastweights.nn.parts.interleave import interleave

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
        key_heads: heads of q and k, each shared by heads / key_heads of v; None means heads.
        convolution: steps that conv sees, the present one included; None leaves it out.
        negative_eigenvalues: β is twice the sigmoid.
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
    retrieves_wide = True  # an α near 1 has few bits in a narrow type
    _gate_function = staticmethod(silu)

    def add_gates(self) -> None:
        size, heads = self.input_size, self.heads
        self.decay = nn.Linear(size, heads, bias=False)
        self.decay_bias = nn.Parameter(step_size_bias(heads))
        self.log_rate = nn.Parameter(torch.log(RATES * (1 - torch.rand(heads))))  # never log 0
        self.gate = nn.Linear(size, heads * self.value_size, bias=False)

    def access(
        self, x: Input, state: DeltaNetState | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        access, rest = super().access(x, state, mask)
        alpha = self.alpha(x)
        others = [torch.ones_like(alpha)] * (self.writes - 1)
        return access._replace(gate=interleave([alpha, *others], 2)), rest

    def alpha(self, x: Input) -> Float[Tensor, "batch heads time *key"]:
        """Return α of each step, in float32 or wider."""
        wide = self.state_dtype
        step_size = softplus(by_heads(self.decay(x)).to(wide) + self.decay_bias.to(wide)[:, None])
        return torch.exp(-self.log_rate.to(wide).exp()[:, None] * step_size)

    def output(
        self, retrieved: Float[Tensor, "batch heads time value"], x: Input, access: Access
    ) -> Float[Tensor, "batch time hidden"]:
        return self.out(self.normed(retrieved) * self._gate_function(self.gate(x)))


def step_size_bias(*shape: int) -> Tensor:
    """Return biases under which softplus starts log-uniform in `STEP_SIZES`."""
    low, high = (math.log(size) for size in STEP_SIZES)
    size = torch.empty(shape).uniform_(low, high).exp()
    return size + torch.log(-torch.expm1(-size))  # softplus undone
