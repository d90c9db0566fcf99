"""Gated DeltaNet-2: what a write erases and what it adds have gates of their own, a number for each feature."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.nn.backbone import Input, Mask
from fastweights.nn.memories.delta_net import DeltaNetState
from fastweights.nn.memories.kimi_delta_attention import KimiDeltaAttention
from fastweights.nn.memories.memory_layer import Access
from fastweights.nn.parts.heads import split_heads


class GatedDeltaNet2(KimiDeltaAttention):
    """Kimi Delta Attention with two gates in the place of β: on the key that erases, and on the value.

        q, k, v = SiLU(conv(W_q x)), SiLU(conv(W_k x)), SiLU(conv(W_v x));   q, k scaled to norm 1
        a       = exp(−A softplus(W_α↑ W_α↓ x + dt))                b, w = σ(W_b x), σ(W_w x)
        F(t)    = F(t-1) diag(a) + (w ⊙ v − F(t-1) diag(a) (b ⊙ k)) kᵀ
        y(t)    = W_o (RMSNorm(F(t) q) ⊙ σ(W_g↑ W_g↓ x + c))

    The rest is as in `KimiDeltaAttention`, which it is where b and w are one number.

    Args:
        input_size: features of x.
        hidden_size: features of y.
        heads: memories side by side.
        key_size: features of a head's keys; None means hidden_size / heads.
        value_size: features of a head's values; None means key_size, as published.
        key_heads: heads of q and k, each shared by heads / key_heads of v; None means heads. a and b are
            the value heads' own, where the published program has them by key heads.
        convolution: steps that conv sees, the present one included; None leaves it out.
        negative_eigenvalues: b is twice the sigmoid.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.

    Parameters: those of `KimiDeltaAttention`, but strength.weight is [heads · key, input] (W_b); and
    write_gate.weight [heads · value, input] (W_w).

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: "Gated DeltaNet-2: Decoupling Erase and Write in Linear Attention", arXiv:2605.22791.

    Example:
        >>> y, state = GatedDeltaNet2(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape, state.recent.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 8]), torch.Size([4, 3, 48]))
    """

    erases = True

    def strengths(self) -> int:
        return self.heads * self.key_sizes[0]

    def add_gates(self) -> None:
        super().add_gates()
        self.write_gate = nn.Linear(self.input_size, self.heads * self.value_size, bias=False)

    def beta(self, x: Input) -> Float[Tensor, "batch heads time"]:
        return x.new_ones(x.shape[0], self.heads, x.shape[1])

    def access(
        self, x: Input, state: DeltaNetState | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        access, rest = super().access(x, state, mask)
        b = torch.sigmoid(split_heads(self.strength(x), self.heads))
        b = 2 * b if self.negative_eigenvalues else b
        w = torch.sigmoid(split_heads(self.write_gate(x), self.heads))
        return access._replace(values=w * access.values, erase=b * access.keys[0]), rest
