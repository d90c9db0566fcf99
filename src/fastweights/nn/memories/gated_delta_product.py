"""Gated DeltaProduct: several writes of the delta rule in a step, so that F passes more than one reflection."""

from __future__ import annotations

from typing import Unpack

from fastweights.nn.memories.gated_delta_net import GatedDeltaNet
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import LayerOptions


class GatedDeltaProduct(GatedDeltaNet):
    """Gated DeltaNet that fades once in a step, then writes n times, and reads after the last write.

        q, k_i, v_i = SiLU(conv(W x)), of each write i = 1 … n its own k_i and v_i;  q, k_i scaled to norm 1
        α           = exp(−A softplus(W_α x + dt))                                   β_i = 2 σ(W_β x)
        F           ← α F;   then for i = 1 … n:   F ← F + β_i (v_i − F k_i) k_iᵀ
        y(t)        = W_o (RMSNorm(F(t) q) ⊙ SiLU(W_g x))

    The matrix that F passes in a step is a product of n generalised Householder reflections, so a layer
    can follow permutations of more things the more writes it has. The rest is as in `GatedDeltaNet`.

    Args:
        input_size: features of x.
        hidden_size: features of y.
        writes: n, the writes of a step.
        heads: memories side by side.
        key_size: features of a head's keys; None means hidden_size / heads.
        value_size: features of a head's values; None means 2 · key_size, as published.
        key_heads: heads of q and k, each shared by heads / key_heads of v; None means heads.
        convolution: steps that conv sees, the present one included; None leaves it out.
        negative_eigenvalues: β is twice the sigmoid, as published; False: the sigmoid.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: those of `GatedDeltaNet`, qkv.weight with the rows of q, k_1 … k_n, v_1 … v_n, and
    strength.weight [n · heads, input].

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Siems, Carstensen, Zela, Hutter, Pontil & Grazzi, "DeltaProduct: Improving State-Tracking
    in Linear RNNs via Householder Products", NeurIPS 2025, section 4.

    Example:
        >>> import torch
        >>> y, state = GatedDeltaProduct(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape, state.recent.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 16]), torch.Size([4, 3, 112]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        writes: int = 2,
        heads: int = 1,
        key_size: int | None = None,
        value_size: int | None = None,
        key_heads: int | None = None,
        convolution: int | None = 4,
        negative_eigenvalues: bool = True,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        check_sizes(writes=writes)
        self.writes = writes
        super().__init__(
            input_size,
            hidden_size,
            heads=heads,
            key_size=key_size,
            value_size=value_size,
            key_heads=key_heads,
            convolution=convolution,
            negative_eigenvalues=negative_eigenvalues,
            backend=backend,
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, writes={self.writes}"
