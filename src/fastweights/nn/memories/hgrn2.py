"""HGRN2: a gated linear recurrence whose state is widened by outer products, its input gate tied to its forget gate."""

from __future__ import annotations

from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from fastweights.nn.backbone import Input, Mask
from fastweights.nn.memories.hebbian_layer import HebbianLayer, HebbianState
from fastweights.nn.memories.memory_layer import Access
from fastweights.nn.parts.checks import check_range
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.heads import merge_heads

NORM_EPS = 1e-5


class HGRN2(HebbianLayer[HebbianState]):
    """A Hebbian memory under the key 1 − f, which writes as much as the decay f forgets.

        q, f, v = SiLU(W_q x), γ + (1 − γ) σ(W_f x), W_v x
        F(t)    = F(t-1) diag(f) + v (1 − f)ᵀ
        y(t)    = W_o RMSNorm(F(t) q)

    Each head has its own q, f, v and F; RMSNorm is over all heads together. The published model learns γ
    for each layer of a stack, rising with depth, and has 0 in its first; here it is a number.

    Args:
        input_size: features of x.
        hidden_size: features of y, and of all heads' values together.
        heads: memories side by side, each with its share of the features.
        key_size: features of f, of each head; None means hidden_size / heads.
        lower_bound: γ in [0, 1], the least f.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: qkv.weight [rows of q, f, v, each by heads; input], out.weight [hidden, hidden], norm.weight
    [hidden].

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Qin, Yang, Sun, Shen, Li, Sun & Zhong, "HGRN2: Gated Linear RNNs with State Expansion", COLM
    2024, section 3.2.

    Example:
        >>> y, state = HGRN2(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 8]))
    """

    state_type = HebbianState
    gating = "channels"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int = 1,
        key_size: int | None = None,
        lower_bound: float = 0.0,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        check_range("lower_bound", lower_bound, 0, 1)
        super().__init__(input_size, hidden_size, heads=heads, key_size=key_size, backend=backend)
        self.lower_bound = float(lower_bound)
        self.norm = nn.RMSNorm(hidden_size, eps=NORM_EPS)

    def access(
        self, x: Input, state: HebbianState | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        q, logits, v = self.split(x)
        logits = logits.to(self.state_dtype)
        # 1 − σ(a) is σ(−a), which loses nothing where σ(a) is near 1.
        key = (1 - self.lower_bound) * torch.sigmoid(-logits)
        return Access(
            keys=(key,),
            values=v,
            strength=v.new_ones(v.shape[:-1]),
            queries=(silu(q),),
            gate=self.lower_bound + (1 - self.lower_bound) * torch.sigmoid(logits),
        ), ()

    def output(
        self, retrieved: Float[Tensor, "batch heads time value"], x: Input, access: Access
    ) -> Float[Tensor, "batch time hidden"]:
        return self.out(self.norm(merge_heads(retrieved).to(self.norm.weight.dtype)))
