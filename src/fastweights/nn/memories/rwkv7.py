"""RWKV-7's time mixing: a memory whose removal key, replacement key and decay are set apart, feature by feature."""

from __future__ import annotations

import math
from typing import NamedTuple, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.nn.backbone import Input, Mask
from fastweights.nn.memories.delta_net import unit
from fastweights.nn.memories.memory_layer import Access, MemoryLayer
from fastweights.nn.parts.backend import check_backend
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.head_norm import HeadNorm
from fastweights.nn.parts.heads import head_size, merge_heads, split_heads
from fastweights.nn.parts.interleave import interleave
from fastweights.nn.parts.low_rank import LowRank
from fastweights.nn.parts.short_convolution import look_back

SLOWEST = math.exp(-0.5)
"""A decay is exp(−this · σ(…)), .545 or more: nothing is lost at once, and one may divide by it."""
SHIFTS = (0.2, 0.9, 0.7, 0.7, 0.9, 0.2)
"""How fast the share of the step before falls with the feature, of r, d, k, v, a, g, as the first layer starts."""
NORM_EPS = 1e-5


class RWKV7State(NamedTuple):
    """memory [batch, heads, key, value] and recent [batch, 1, input], the step before."""

    memory: Float[Tensor, "batch heads key value"]
    recent: Float[Tensor, "batch 1 input"]


class RWKV7(MemoryLayer[RWKV7State]):
    """A generalised delta rule: what is removed, what replaces it and what fades are vectors of their own.

        x_c     = x(t) + μ_c ⊙ (x(t-1) − x(t)),   c = r, d, k, v, a, g
        r, k, v = W_r x_r, W_k x_k, W_v x_v                      d = exp(−e^(−½) σ(D↑ tanh(D↓ x_d) + b_d))
        a, g    = σ(A↑ A↓ x_a + b_a), G↑ σ(G↓ x_g)               κ = ξ ⊙ k, by heads scaled to norm 1
        k̃       = k ⊙ (1 + α ⊙ (a − 1))
        F(t)    = F(t-1) (diag(d) − κ (a ⊙ κ)ᵀ) + v k̃ᵀ
        y(t)    = W_o (g ⊙ (LN(F(t) r) + (r·(ρ ⊙ k̃)) v))

    Each head has its own part of every vector, and its own F; LN is over a head, with gain and bias for
    each feature. In the op a step is two writes: one that fades and removes, with erase key κ / d, and one
    that adds.

    This is the time mixing of a first layer. Later ones of the published model mix v with the first one's,
    and its W_o, D↓, A↓ and G↓ start at 0; here they start as `nn.Linear` does, so that all learn at once.

    Args:
        input_size: features of x.
        hidden_size: features of y, and of all heads' vectors together.
        heads: memories side by side, each with its share of the features.
        rank: features between the two matrices of d, of a and of g.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: shift [6, input] (μ of r, d, k, v, a, g), receptance, key, value .weight [hidden, input], decay
    (D), rate (A) and gate (G) .down.weight [rank, input], .up.weight [hidden, rank], and of the first two
    .up.bias [hidden], removal (ξ), replacement (α), bonus (ρ) [hidden], norm.weight, norm.bias [hidden], out.weight
    [hidden, hidden].

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Peng et al., "RWKV-7 "Goose" with Expressive Dynamic State Evolution", COLM 2025, section 4.

    Example:
        >>> y, state = RWKV7(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape, state.recent.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 8]), torch.Size([4, 1, 8]))
    """

    state_type = RWKV7State
    copied = ("recent",)
    gating = "channels"
    erases = True
    writes = 2
    retrieves_wide = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int = 1,
        rank: int = 32,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, heads=heads, rank=rank)
        size = head_size(hidden_size, heads)
        check_backend("delta_memory", backend)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.heads, self.key_sizes, self.rank, self.backend = heads, (size,), rank, backend
        place = torch.arange(input_size) / input_size
        self.shift = nn.Parameter(torch.stack([1 - place**power for power in SHIFTS]))
        self.receptance = nn.Linear(input_size, hidden_size, bias=False)
        self.key = nn.Linear(input_size, hidden_size, bias=False)
        self.value = nn.Linear(input_size, hidden_size, bias=False)
        sizes = input_size, rank, hidden_size
        self.decay = LowRank(*sizes, bias=True, activation=torch.tanh)
        self.rate = LowRank(*sizes, bias=True)
        self.gate = LowRank(*sizes, activation=torch.sigmoid)
        self.removal = nn.Parameter(torch.empty(hidden_size))
        self.replacement = nn.Parameter(torch.full((hidden_size,), 1.02))
        self.bonus = nn.Parameter(torch.full((hidden_size,), -0.04))
        self.norm = HeadNorm(hidden_size, size * NORM_EPS, bias=True)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Start as published: slow and fast features in each head, and over all heads."""
        line = torch.linspace(0, 1, self.hidden_size)
        bend = torch.linspace(-1, 1, self.key_sizes[0]).repeat(self.heads)
        bend = bend * bend.abs()
        for linear, gain in ((self.receptance, 1.0), (self.key, 0.1), (self.value, 1.0)):
            nn.init.orthogonal_(linear.weight, gain=gain)
        for low_rank in (self.decay, self.rate, self.gate):
            nn.init.orthogonal_(low_rank.up.weight, gain=0.1)
        self.decay.up.bias.copy_(-5.5 + 6 * line + 2.5 * bend)
        self.rate.up.bias.copy_(-0.19 + 0.3 * bend + 0.4 * (line - 0.5))
        self.removal.copy_(0.71 - 0.1 * (line - 0.5))

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        (size,) = self.key_sizes
        return (self.heads, size, size), (1, self.input_size)

    def access(
        self, x: Input, state: RWKV7State | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        recent = self.initial_state(x.shape[0]).recent if state is None else state.recent
        before, recent = look_back(x, recent, mask, lambda seen: seen[:, :-1])
        x_r, x_d, x_k, x_v, x_a, x_g = (x + mu * (before - x) for mu in self.shift)
        logits, removed, g = self.decay(x_d), self.key(x_k), self.gate(x_g)
        a = torch.sigmoid(self.rate(x_a))
        key = removed * (1 + self.replacement * (a - 1))
        named = (self.receptance(x_r), key, self.value(x_v), removed * self.removal, a, logits)
        r, k, v, kappa, a, logits = (
            split_heads(part, self.heads).to(self.state_dtype) for part in named
        )
        d, kappa = torch.exp(-SLOWEST * torch.sigmoid(logits)), unit(kappa)
        zero, one = torch.zeros_like(v), torch.ones_like(d)
        rho = self.bonus.to(r.dtype).unflatten(0, (self.heads, -1))[:, None]
        return Access(
            keys=(interleave([kappa * a, k], 2),),
            values=interleave([zero, v], 2),
            strength=v.new_ones(*v.shape[:2], 2 * v.shape[2]),
            queries=(interleave([r, r], 2),),
            gate=interleave([d, one], 2),
            erase=interleave([kappa / d, torch.zeros_like(d)], 2),
            for_output=(g, merge_heads((r * rho * k).sum(-1, keepdim=True) * v)),
        ), (recent,)

    def output(
        self, retrieved: Float[Tensor, "batch heads time value"], x: Input, access: Access
    ) -> Float[Tensor, "batch time hidden"]:
        g, bonus = access.for_output
        return self.out(g * (self.norm(retrieved) + bonus.to(g.dtype)))

    def extra_repr(self) -> str:
        return (
            f"{self.input_size}, {self.hidden_size}, heads={self.heads}, rank={self.rank}, "
            f"{self.backend_line()}"
        )
