"""Titans' long-term memory, the linear one: gradient descent with momentum and forgetting, a step a token."""

from __future__ import annotations

from typing import NamedTuple, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from fastweights.nn.backbone import Input, Mask
from fastweights.nn.memories.delta_net import unit
from fastweights.nn.memories.memory_layer import Access, MemoryLayer
from fastweights.nn.parts.backend import check_backend
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.heads import by_heads, head_size, merge_heads, split_heads
from fastweights.nn.parts.projection import project

BIASES = (0.0, 0.0, -4.0)
"""The logits of θ, η and α start at these: of a surprise half is learned, and of F a fiftieth is lost a step."""
LEAST_KEPT = 2.0**-60
"""1 − α at the least: the op erases from (1 − α) F, the layer from F, and no α of a number type is nearer to 1."""


class TitansState(NamedTuple):
    """memory and momentum [batch, heads, key, value]."""

    memory: Float[Tensor, "batch heads key value"]
    momentum: Float[Tensor, "batch heads key value"]


class Titans(MemoryLayer[TitansState]):
    """A matrix trained while it is used: each step goes down the gradient of ½ ‖v − F k‖², with momentum.

        q, k, v = SiLU(W_q x + b_q), SiLU(W_k x + b_k), SiLU(W_v x + b_v);         q, k scaled to norm 1
        θ, η, α = σ(W_g x + b)                                     the rate, the momentum, the forgetting
        S(t)    = η S(t-1) + θ (v − F(t-1) k) kᵀ
        F(t)    = (1 − α) F(t-1) + S(t)
        y(t)    = F(t) q

    Each head has its own q, k, v, θ, η, α, S and F. It is exact for every token, and trains in chunks of time
    (`ops.delta_memory` with a momentum). The memory alone, with a gradient for each token: the
    published layer takes the gradients of a chunk at its first memory, has a deep network in the place of F, and
    short convolutions, a normalisation and a gate around it.

    Args:
        input_size: features of x.
        hidden_size: features of y, and of all heads' values together.
        heads: memories side by side, each with its share of the features.
        key_size: features of a head's keys; None means hidden_size / heads.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: input.weight [rows of q, k, v, θ, η, α, each by heads; input] and input.bias, of θ and η 0 and of α
    −4 at the start.

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Behrouz, Zhong & Mirrokni, "Titans: Learning to Memorize at Test Time", arXiv:2501.00663, eq. 9 to 14.

    Example:
        >>> y, state = Titans(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape, state.momentum.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 8]), torch.Size([4, 2, 8, 8]))
    """

    state_type = TitansState
    gating = "step"
    erases = True
    moves = True
    retrieves_wide = True
    takes_classes = True

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
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, heads=heads)
        self.value_size = head_size(hidden_size, heads)
        key_size = self.value_size if key_size is None else key_size
        check_sizes(key_size=key_size)
        check_backend("delta_memory", backend)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.heads, self.key_sizes, self.backend = heads, (key_size,), backend
        self.parts = [heads * size for size in (key_size, key_size, self.value_size, 1, 1, 1)]
        self.input = nn.Linear(input_size, sum(self.parts))
        with torch.no_grad():
            self.input.bias[-3 * heads :] = torch.tensor(BIASES).repeat_interleave(heads)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        shape = self.heads, *self.key_sizes, self.value_size
        return shape, shape

    def access(
        self, x: Input, state: TitansState | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        parts = project(self.input, x).to(self.state_dtype).split(self.parts, -1)
        q, k, v = (silu(split_heads(part, self.heads)) for part in parts[:3])
        rate, momentum, forgotten = (by_heads(part) for part in parts[3:])
        theta, kept = torch.sigmoid(rate), torch.sigmoid(-forgotten).clamp(min=LEAST_KEPT)
        k = unit(k)
        return Access(
            keys=(k,),
            values=v,
            strength=theta,
            queries=(unit(q),),
            gate=kept,
            erase=(theta / kept).unsqueeze(-1) * k,
            momentum=torch.sigmoid(momentum),
        ), ()

    def output(
        self, retrieved: Float[Tensor, "batch heads time value"], x: Input, access: Access
    ) -> Float[Tensor, "batch time hidden"]:
        return merge_heads(retrieved).to(self.reference_parameter.dtype)

    def extra_repr(self) -> str:
        return (
            f"{self.input_size}, {self.hidden_size}, heads={self.heads}, key_size={self.key_sizes[0]}, "
            f"{self.backend_line()}"
        )
