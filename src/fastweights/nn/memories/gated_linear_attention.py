"""Gated linear attention: a Hebbian memory that fades by a rate of its own for each feature of the key."""

from __future__ import annotations

import math
from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, silu

from fastweights.nn.backbone import Input, Mask
from fastweights.nn.memories.hebbian_layer import HebbianLayer, HebbianState
from fastweights.nn.memories.memory_layer import Access
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.heads import merge_heads, split_heads
from fastweights.nn.parts.low_rank import LowRank

RANK = 16
"""Features between the two matrices of the decay."""
TEMPERATURE = 16.0
"""τ: the sigmoid of the decay is raised to 1/τ, which keeps it near 1."""
NORM_EPS = 1e-5


class GatedLinearAttention(HebbianLayer[HebbianState]):
    """Linear attention whose memory forgets each feature of the key at a rate that every step sets.

        q, k, v = W_q x / √key, W_k x, W_v x                   a = σ(W_α↑ W_α↓ x + b)^(1/16)
        F(t)    = F(t-1) diag(a) + v kᵀ
        y(t)    = W_o (RMSNorm(F(t) q) ⊙ SiLU(W_g x))

    Each head has its own q, k, v, a and F; they share the gain of the RMSNorm, over the values of a
    head. The paper has a LayerNorm and a bias in W_g, its program what stands here.

    Args:
        input_size: features of x.
        hidden_size: features of y, and of all heads' values together.
        heads: memories side by side, each with its share of the features.
        key_size: features of a head's keys; None means half as many as its values, as published.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: qkv.weight [rows of q, k, v, each by heads; input], out.weight [hidden, hidden],
    decay.down.weight [16, input], decay.up.weight [heads · key, 16] and decay.up.bias (b), norm.weight [value],
    gate.weight [hidden, input] (W_g).

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Yang, Wang, Shen, Panda & Kim, "Gated Linear Attention Transformers with Hardware-Efficient
    Training", ICML 2024, eq. 3 and section 4.4.

    Example:
        >>> y, state = GatedLinearAttention(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 4, 8]))
    """

    state_type = HebbianState
    gating = "channels"
    values_per_key = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int = 1,
        key_size: int | None = None,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(input_size, hidden_size, heads=heads, key_size=key_size, backend=backend)
        self.decay = LowRank(input_size, RANK, self.parts[1], bias=True)
        self.norm = nn.RMSNorm(self.value_size, eps=NORM_EPS)
        self.gate = nn.Linear(input_size, hidden_size, bias=False)

    def access(
        self, x: Input, state: HebbianState | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        q, k, v = self.split(x)
        logits = split_heads(self.decay(x), self.heads).to(self.state_dtype)
        return Access(
            keys=(k,),
            values=v,
            strength=v.new_ones(v.shape[:-1]),
            queries=(q / math.sqrt(k.shape[-1]),),
            gate=torch.exp(logsigmoid(logits) / TEMPERATURE),
        ), ()

    def output(
        self, retrieved: Float[Tensor, "batch heads time value"], x: Input, access: Access
    ) -> Float[Tensor, "batch time hidden"]:
        normed = merge_heads(self.norm(retrieved.to(self.norm.weight.dtype)))
        return self.out(normed * silu(self.gate(x)))
