"""DeltaNet: linear attention whose memory is written by the delta rule."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from fastweights.nn.backbone import Input, Mask
from fastweights.nn.memories.memory_layer import Access, MemoryLayer
from fastweights.nn.parts.backend import check_backend
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.heads import (
    by_heads,
    head_size,
    heads_a_key,
    merge_heads,
    share_heads,
    split_heads,
)
from fastweights.nn.parts.interleave import interleave
from fastweights.nn.parts.short_convolution import ShortConvolution

NORM_EPS = 1e-5
UNIT_EPS = 1e-6


class DeltaNetState(NamedTuple):
    """memory [batch, heads, key, value] and recent [batch, convolution - 1, channels], what the short
    convolution looks back on (nothing, of no steps, where there is none)."""

    memory: Float[Tensor, "batch heads key value"]
    recent: Float[Tensor, "batch before channels"]


class DeltaNet(MemoryLayer[DeltaNetState]):
    """Linear attention that replaces the value stored under a key where plain one adds to it.

        q, k, v = SiLU(conv(W_q x)), SiLU(conv(W_k x)), SiLU(conv(W_v x));   q, k scaled to norm 1
        β       = σ(W_β x)
        F(t)    = F(t-1) + β (v − F(t-1) k) kᵀ
        y(t)    = W_o RMSNorm(F(t) q)

    Each head has its own q, k, v, β and F; they share the gain of the RMSNorm, over the values of a
    head. conv is causal, over each channel by itself. β is in (0, 1), and the matrix I − β k kᵀ that F
    passes has eigenvalues in (0, 1]; with β in (0, 2), in (−1, 1], which parity and groups need.

    Args:
        input_size: features of x.
        hidden_size: features of y.
        heads: memories side by side.
        key_size: features of a head's keys; None means hidden_size / heads.
        value_size: features of a head's values; None means key_size.
        key_heads: heads of q and k, each shared by heads / key_heads of v; None means heads.
        convolution: steps that conv sees, the present one included; None leaves it out.
        negative_eigenvalues: β is twice the sigmoid.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: qkv.weight [rows of q, k, v, each by heads; input], convolution.weight [as many rows;
    steps], strength.weight [heads, input] (W_β), norm.weight [value], out.weight [hidden, heads ·
    value]; no biases.

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Schlag, Irie & Schmidhuber, "Linear Transformers Are Secretly Fast Weight Programmers",
    ICML 2021; in this form Yang, Wang, Zhang, Shen & Kim, "Parallelizing Linear Transformers with
    the Delta Rule over Sequence Length", NeurIPS 2024. Negative eigenvalues: Grazzi, Siems, Zela, Franke,
    Hutter & Pontil, "Unlocking State-Tracking in Linear RNNs Through Negative Eigenvalues", ICLR 2025.

    Example:
        >>> y, state = DeltaNet(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape, state.recent.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 8]), torch.Size([4, 3, 48]))
    """

    state_type = DeltaNetState
    copied = ("recent",)
    values_per_key: ClassVar[int] = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int = 1,
        key_size: int | None = None,
        value_size: int | None = None,
        key_heads: int | None = None,
        convolution: int | None = 4,
        negative_eigenvalues: bool = False,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        key_heads = heads if key_heads is None else key_heads
        check_sizes(
            input_size=input_size, hidden_size=hidden_size, heads=heads, key_heads=key_heads
        )
        key_size = head_size(hidden_size, heads) if key_size is None else key_size
        value_size = self.values_per_key * key_size if value_size is None else value_size
        check_sizes(key_size=key_size, value_size=value_size)
        check_backend("delta_memory", backend)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.heads, self.key_sizes, self.value_size = heads, (key_size,), value_size
        self.key_heads, self.heads_a_key = key_heads, heads_a_key(heads, key_heads)
        self.negative_eigenvalues, self.backend = negative_eigenvalues, backend
        keys, values = key_heads * key_size, heads * value_size
        self.parts = [keys, self.writes * keys, self.writes * values]
        self.qkv = nn.Linear(input_size, sum(self.parts), bias=False)
        self.convolution = (
            None if convolution is None else ShortConvolution(sum(self.parts), convolution)
        )
        self.strength = nn.Linear(input_size, self.strengths(), bias=False)
        self.norm = nn.RMSNorm(value_size, eps=NORM_EPS)
        self.out = nn.Linear(values, hidden_size, bias=False)
        self.add_gates()

    def strengths(self) -> int:
        """Return how many numbers a step's strengths are made of."""
        return self.writes * self.heads

    def add_gates(self) -> None:
        """Add what a subclass has besides."""

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        before = 0 if self.convolution is None else self.convolution.size - 1
        return (self.heads, *self.key_sizes, self.value_size), (before, sum(self.parts))

    def access(
        self, x: Input, state: DeltaNetState | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        qkv, recent = self._mixed(self.qkv(x), state, mask)
        q, k, v = qkv.split(self.parts, -1)
        query = share_heads(unit(split_heads(q, self.key_heads)), self.heads_a_key)
        return Access(
            keys=(share_heads(unit(self._by_writes(k, self.key_heads)), self.heads_a_key),),
            values=self._by_writes(v, self.heads),
            strength=self.beta(x),
            queries=(interleave([query] * self.writes, 2),),
        ), (recent,)

    def beta(self, x: Input) -> Float[Tensor, "batch heads writes"]:
        """Return the strength of each write."""
        logits = [by_heads(part) for part in self.strength(x).chunk(self.writes, -1)]
        beta = torch.sigmoid(interleave(logits, 2))
        return 2 * beta if self.negative_eigenvalues else beta

    def _by_writes(
        self, x: Float[Tensor, "batch time features"], heads: int
    ) -> Float[Tensor, "batch heads writes head"]:
        """Split features by writes, then by heads; the writes follow each other in time."""
        return interleave([split_heads(part, heads) for part in x.chunk(self.writes, -1)], 2)

    def output(
        self, retrieved: Float[Tensor, "batch heads time value"], x: Input, access: Access
    ) -> Float[Tensor, "batch time hidden"]:
        return self.out(self.normed(retrieved))

    def normed(
        self, retrieved: Float[Tensor, "batch heads time value"]
    ) -> Float[Tensor, "batch time values"]:
        """Return what was retrieved, normalised by heads in the parameters' own type, side by side."""
        return merge_heads(self.norm(retrieved.to(self.norm.weight.dtype)))

    def _mixed(
        self, qkv: Float[Tensor, "batch time channels"], state: DeltaNetState | None, mask: Mask
    ) -> tuple[Float[Tensor, "batch time channels"], Float[Tensor, "batch before channels"]]:
        """Run the short convolution and SiLU; return with them what is to be carried."""
        recent = self.initial_state(qkv.shape[0]).recent if state is None else state.recent
        if self.convolution is None:
            return silu(qkv), recent
        return self.convolution(qkv, recent, mask)

    def extra_repr(self) -> str:
        return (
            f"{self.input_size}, {self.hidden_size}, heads={self.heads}, "
            f"key_heads={self.key_heads}, key_size={self.key_sizes[0]}, value_size={self.value_size}, "
            f"negative_eigenvalues={self.negative_eigenvalues}, {self.backend_line()}"
        )


def unit(x: Float[Tensor, "*any features"]) -> Float[Tensor, "*any features"]:
    """Scale vectors to norm 1 (a little less where they are tiny, and 0 stays 0).

    Example:
        >>> unit(torch.tensor([3.0, 4.0]))
        tensor([0.6000, 0.8000])
    """
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + UNIT_EPS)
