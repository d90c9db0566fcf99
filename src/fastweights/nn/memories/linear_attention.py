"""Causal linear attention (Katharopoulos et al. 2020): a Hebbian memory read outside the recurrence."""

from __future__ import annotations

from typing import NamedTuple, Unpack

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import elu, pad

from fastweights.nn.backbone import Input, Mask
from fastweights.nn.memories.hebbian_layer import HebbianLayer
from fastweights.nn.memories.memory_layer import Access
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.heads import merge_heads

EPS = 1e-6


class LinearAttentionState(NamedTuple):
    """memory [batch, heads, key, value], with a last column more, Σ φ(k), where a normaliser is."""

    memory: Float[Tensor, "batch heads key value"]


class LinearAttention(HebbianLayer[LinearAttentionState]):
    """Attention with the kernel φ(q)·φ(k) in place of softmax, so that its past is one matrix a head.

        F(t) = F(t-1) + φ(k(t)) v(t)ᵀ          z(t) = z(t-1) + φ(k(t))          φ(a) = elu(a) + 1
        y(t) = W_o (φ(q(t)) F(t)) / (φ(q(t))·z(t) + ε)

    q, k and v are affine in x. z is kept as one more column of F, under a value that is always 1.
    Sums without an end outgrow float16 (65504) and what bfloat16 can add 1 to (256), so F is kept,
    read and divided in float32 or wider, whatever the parameters' type.

    Args:
        input_size: features of x.
        hidden_size: features of y, and of all heads' values together.
        heads: memories side by side, each with its share of the features.
        key_size: features of a head's keys; None means hidden_size / heads.
        normaliser: divide by φ(q)·z + ε, as published; False leaves the sum as it is.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: qkv.weight [rows of q, k, v, each by heads; input] and qkv.bias, out.weight [hidden,
    hidden] and out.bias.

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Katharopoulos, Vyas, Pappas & Fleuret, "Transformers are RNNs", ICML 2020, eq. 7 and 16
    to 20.

    Example:
        >>> import torch
        >>> y, state = LinearAttention(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 9]))
    """

    state_type = LinearAttentionState
    biases = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int = 1,
        key_size: int | None = None,
        normaliser: bool = True,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(input_size, hidden_size, heads=heads, key_size=key_size, backend=backend)
        self.normaliser = normaliser

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.heads, *self.key_sizes, self.value_size + self.normaliser),)

    def access(
        self, x: Input, state: LinearAttentionState | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        q, k, v = self.split(x)
        return Access(
            keys=(elu(k) + 1,),
            values=pad(v, (0, 1), value=1.0) if self.normaliser else v,
            strength=v.new_ones(v.shape[:-1]),
            queries=(elu(q) + 1,),
        ), ()

    def output(
        self, retrieved: Float[Tensor, "batch heads time value"], x: Input, access: Access
    ) -> Float[Tensor, "batch time hidden"]:
        if self.normaliser:
            retrieved = retrieved[..., :-1] / (retrieved[..., -1:] + EPS)
        return self.out(merge_heads(retrieved).to(x.dtype))

    def read_weights(
        self,
        weights: Float[Tensor, "batch heads time reads past"],
        retrieved: Float[Tensor, "batch heads time value"],
        access: Access,
    ) -> Float[Tensor, "batch heads time reads past"]:
        return weights / (retrieved[..., None, -1:] + EPS) if self.normaliser else weights

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, normaliser={self.normaliser}"
