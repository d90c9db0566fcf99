"""Kimi Delta Attention: the delta rule with a forgetting rate for each feature of the key."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from fastweights.nn.backbone import Input
from fastweights.nn.memories.gated_delta_net import GatedDeltaNet, step_size_bias
from fastweights.nn.parts.heads import split_heads
from fastweights.nn.parts.low_rank import LowRank

RATES = (1.0, 16.0)
"""A starts uniform between these."""


class KimiDeltaAttention(GatedDeltaNet):
    """Gated DeltaNet whose memory fades by a rate of its own for each feature of the key.

        q, k, v = SiLU(conv(W_q x)), SiLU(conv(W_k x)), SiLU(conv(W_v x));   q, k scaled to norm 1
        a       = exp(−A softplus(W_α↑ W_α↓ x + dt))                         β = σ(W_β x)
        F(t)    = F(t-1) diag(a) + β (v − F(t-1) diag(a) k) kᵀ
        y(t)    = W_o (RMSNorm(F(t) q) ⊙ σ(W_g↑ W_g↓ x + b))

    Each head has its own q, k, v, a, β and F; A > 0 is a learned number of a head, dt one of each
    feature of its keys. ↓ leads to as many features as a head has values. The rest is as in
    `GatedDeltaNet`. Published with a scale key^−½ on q, which the RMSNorm divides out again.

    Args:
        input_size: features of x.
        hidden_size: features of y.
        heads: memories side by side.
        key_size: features of a head's keys; None means hidden_size / heads.
        value_size: features of a head's values; None means key_size, as published.
        key_heads: heads of q and k, each shared by heads / key_heads of v; None means heads.
        convolution: steps that conv sees, the present one included; None leaves it out.
        negative_eigenvalues: β is twice the sigmoid.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.

    Parameters: those of `DeltaNet`, and decay.down.weight [value, input], decay.up.weight [heads · key, value]
    (W_α), decay_bias [heads, key] (dt), log_rate [heads] (log A), gate.down.weight [value, input],
    gate.up.weight [heads · value, value] (W_g), gate.up.bias (b).

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Kimi Team, "Kimi Linear: An Expressive, Efficient Attention Architecture",
    arXiv:2510.26692, section 3 and eq. 1.

    Example:
        >>> y, state = KimiDeltaAttention(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape, state.recent.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 8]), torch.Size([4, 3, 48]))
    """

    gating = "channels"
    values_per_key = 1
    _gate_function = staticmethod(torch.sigmoid)

    def add_gates(self) -> None:
        (key,), value, heads = self.key_sizes, self.value_size, self.heads
        low, high = RATES
        self.decay = LowRank(self.input_size, value, heads * key)
        self.decay_bias = nn.Parameter(step_size_bias(heads, key))
        self.log_rate = nn.Parameter(torch.empty(heads).uniform_(low, high).log())
        self.gate = LowRank(self.input_size, value, heads * value, bias=True)

    def alpha(self, x: Input) -> Float[Tensor, "batch heads time key"]:
        wide = self.state_dtype
        pre = split_heads(self.decay(x), self.heads).to(wide) + self.decay_bias.to(wide)[:, None]
        return torch.exp(-self.log_rate.to(wide).exp()[:, None, None] * softplus(pre))
