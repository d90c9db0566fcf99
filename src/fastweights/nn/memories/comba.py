"""Comba: a gated delta rule that erases with less than it writes with, and reads past its own write."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fastweights.nn.backbone import Input, Mask
from fastweights.nn.memories.delta_net import DeltaNetState
from fastweights.nn.memories.gated_delta_net import GatedDeltaNet
from fastweights.nn.memories.memory_layer import Access


class Comba(GatedDeltaNet):
    """Gated DeltaNet as closed-loop control: the state is fed back into the write, and into the read.

        q, k, v = SiLU(conv(W_q x)), SiLU(conv(W_k x)), SiLU(conv(W_v x));   q, k scaled to norm 1
        α       = exp(−A softplus(W_α x + dt))            β = σ(W_β x)            p = σ(d) k
        F(t)    = α F(t-1) + β (v − α F(t-1) p) kᵀ
        y(t)    = W_o (RMSNorm(F(t) (q − D p)) ⊙ SiLU(W_g x))

    d and D are learned numbers of a head, both 1 at the start. The rest is as in `GatedDeltaNet`. The
    published program scales p, and q − D p, to norm 1 once more, by which σ(d) drops out of the write.

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

    Parameters: those of `GatedDeltaNet`, and feedback [heads] (d), correction [heads] (D).

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Hu et al., "Comba: Improving Bilinear RNNs with Closed-loop Control", arXiv:2506.02475.

    Example:
        >>> y, state = Comba(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape, state.recent.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 16]), torch.Size([4, 3, 64]))
    """

    erases = True

    def add_gates(self) -> None:
        super().add_gates()
        self.feedback = nn.Parameter(torch.ones(self.heads))
        self.correction = nn.Parameter(torch.ones(self.heads))

    def access(
        self, x: Input, state: DeltaNetState | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        access, rest = super().access(x, state, mask)
        p = torch.sigmoid(self.feedback)[:, None, None] * access.keys[0]
        return access._replace(
            erase=access.strength.unsqueeze(-1) * p,
            queries=(access.queries[0] - self.correction[:, None, None] * p,),
        ), rest
