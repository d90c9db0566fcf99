"""Causal attention by content and by distance, over what a segment holds and what came before it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from fastweights.nn.parts.heads import head_size
from fastweights.nn.parts.plain import is_plain
from fastweights.ops.tracing import is_open
from fastweights.ops.types import at_least_float32

# Queries of a block: more of them reach more keys out of band, fewer make small products.
BLOCK = 256


class Block(NamedTuple):
    """A block of queries q + u, the slice of the keys that they may reach, and the keys' bias: the
    distances' part of the logits, -∞ where a step does not see a key."""

    queries: Float[Tensor, "heads batch block head"]
    places: slice
    bias: Float[Tensor, "heads batch block places"]


class RelativeAttention(nn.Module):
    """Attention whose logits know how far back a key lies, not where.

        a(t, d) = (⟨q(t) + u, k(t-d)⟩ + ⟨q(t) + v, W_R R(d)⟩) / √head        d = 0 … reach
        y(t)    = W_o Σ_d softmax_d(a(t, ·)) v(t-d)

    q, k, v and W_R R are linear and split into heads; u and v are vectors of each head. A step sees
    itself and `reach` steps before it, as far as there are any.

    Args:
        hidden_size: features of x and y, and of all heads together.
        heads: how many share the features.
        dropout: the share of weights dropped in training.

    Parameters: query.weight [hidden, hidden], key_value.weight [rows of k and v, each by heads;
    hidden], distance.weight [hidden, hidden] (W_R), content_bias and distance_bias [heads, head] (u
    and v), out.weight [hidden, hidden].

    Raises:
        UserError: if the heads do not divide the features.

    Source: Dai et al., "Transformer-XL", ACL 2019, section 3.3 and appendix B.

    Example:
        >>> layer, x = RelativeAttention(8, heads=2), torch.randn(4, 11, 8)
        >>> layer(x, None, None, distance_encodings(10, 8, x)).shape
        torch.Size([4, 11, 8])
    """

    def __init__(self, hidden_size: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        size = head_size(hidden_size, heads)
        self.scale = 1 / math.sqrt(size)
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key_value = nn.Linear(hidden_size, 2 * hidden_size, bias=False)
        self.distance = nn.Linear(hidden_size, hidden_size, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(heads, size))
        self.distance_bias = nn.Parameter(torch.zeros(heads, size))
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(
        self,
        x: Float[Tensor, "batch time hidden"],
        past: Float[Tensor, "batch before hidden"] | None,
        empty: Bool[Tensor, "batch before"] | None,
        encodings: Float[Tensor, "distances hidden"],
        steps: Int[Tensor, "batch queries"] | None = None,
    ) -> Float[Tensor, "batch queries hidden"]:
        """Attend.

        Args:
            x: [batch, time, hidden].
            past: [batch, before, hidden], the steps before x; None: there are none.
            empty: [batch, before], True where a row has no such step; None: every row has them all.
            encodings: [reach + 1, hidden], R of the distances reach, …, 1, 0.
            steps: [batch, queries], the steps of x that attend; None: all.

        Returns:
            [batch, queries, hidden].
        """
        blocks = self._blocks(x, past, empty, encodings, steps)
        count = x.shape[1] if steps is None else steps.shape[1]
        few = (
            not is_open(count)
            and count * (self.heads - 1) < x.shape[2]
            and is_plain(self.key_value)
        )
        read = self._read_unprojected(blocks, x, past) if few else self._read(blocks, x, past)
        return self.out(read.movedim(0, 2).flatten(2))

    def weights(
        self,
        x: Float[Tensor, "batch time hidden"],
        past: Float[Tensor, "batch before hidden"] | None,
        empty: Bool[Tensor, "batch before"] | None,
        encodings: Float[Tensor, "distances hidden"],
    ) -> Float[Tensor, "batch time heads time"]:
        """Return each head's softmax over the steps of x; what is missing from 1 went to the past."""
        k, _ = self._keys_values(x, past)
        keys, rows = k.shape[2], []
        for queries, places, bias in self._blocks(x, past, empty, encodings, None):
            weights = torch.softmax(self.scale * queries @ k[:, :, places].mT + bias, -1)
            rows.append(pad(weights, (places.start, keys - places.stop)))
        return torch.cat(rows, 2)[..., keys - x.shape[1] :].permute(1, 2, 0, 3)

    def _read(
        self, blocks: Iterable[Block], x: Tensor, past: Tensor | None
    ) -> Float[Tensor, "heads batch queries head"]:
        """Read with keys and values of all that is seen."""
        k, v = self._keys_values(x, past)
        return torch.cat(
            [
                self._attend(queries, k[:, :, places], v[:, :, places], bias)
                for queries, places, bias in blocks
            ],
            2,
        )

    def _read_unprojected(
        self, blocks: Iterable[Block], x: Tensor, past: Tensor | None
    ) -> Float[Tensor, "heads batch queries head"]:
        """Read what entered itself: ⟨q, W_k h⟩ = ⟨W_kᵀ q, h⟩ and Σ w W_v h = W_v Σ w h.

        Fewer products than `_read`'s where queries · (heads - 1) < hidden.
        """
        seen = x if past is None else torch.cat([past, x], 1)
        key, value = self.key_value.weight.view(2, self.heads, -1, x.shape[2])
        read = []
        for queries, places, bias in blocks:
            lifted = torch.einsum("hbtk,hkf->bhtf", queries, key).flatten(1, 2)
            shown, bias = seen[:, places], bias.transpose(0, 1).flatten(1, 2)
            means = self._attend(lifted, shown, shown, bias).unflatten(1, (self.heads, -1))
            read.append(torch.einsum("bhtf,hkf->hbtk", means, value))
        return torch.cat(read, 2)

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        dropped = self.dropout if self.training else 0.0
        return scaled_dot_product_attention(queries, keys, values, bias, dropped, scale=self.scale)

    def _keys_values(
        self,
        x: Float[Tensor, "batch time hidden"],
        past: Float[Tensor, "batch before hidden"] | None,
    ) -> tuple[Float[Tensor, "heads batch keys head"], Float[Tensor, "heads batch keys head"]]:
        """Return k and v of the past and of x."""
        # Each part by itself: a past that is cut off from its history costs no gradient of its own.
        parts = [self.key_value(part).chunk(2, -1) for part in (past, x) if part is not None]
        k, v = (
            torch.cat([self._by_heads(part) for part in kind], 2)
            for kind in zip(*parts, strict=True)
        )
        return k, v

    def _by_heads(
        self, x: Float[Tensor, "batch time hidden"]
    ) -> Float[Tensor, "heads batch time head"]:
        # Heads first: all rows' steps of a head meet its distances in one product.
        return x.unflatten(2, (self.heads, -1)).movedim(2, 0)

    def _blocks(
        self,
        x: Float[Tensor, "batch time hidden"],
        past: Float[Tensor, "batch before hidden"] | None,
        empty: Bool[Tensor, "batch before"] | None,
        encodings: Float[Tensor, "distances hidden"],
        steps: Int[Tensor, "batch queries"] | None,
    ) -> Iterator[Block]:
        """Yield the blocks of queries."""
        reach, older = encodings.shape[0] - 1, 0 if past is None else past.shape[1]
        q = self.query(x if steps is None else x.take_along_dim(steps[:, :, None], 1))
        q = self._by_heads(q)
        queries = q + self.content_bias[:, None, None]
        distance_queries = self.scale * (q + self.distance_bias[:, None, None])
        distances = self.distance(encodings).unflatten(1, (self.heads, -1)).movedim(0, 2)
        missing = None if empty is None else pad(empty, (0, x.shape[1]))
        whole = is_open(q.shape[2])  # there is no number of blocks: one reaches all keys
        for start in (0,) if whole else range(0, q.shape[2], BLOCK):
            block = slice(start, q.shape[2] if whole else min(start + BLOCK, q.shape[2]))
            own = None if steps is None else steps[:, block]
            first, last = (start, block.stop - 1) if own is None else map(int, own.aminmax())
            places = slice(0 if whole else max(0, older + first - reach), older + last + 1)
            count = places.stop - places.start
            nearest = distances if whole else distances[:, :, -min(reach + 1, count) :]
            scores = distance_queries[:, :, block].flatten(1, 2) @ nearest
            scores = scores.unflatten(1, (x.shape[0], -1))
            bias = (
                by_place(scores, count) if own is None else by_place_of(scores, count, last - own)
            )
            if missing is not None:
                bias = bias.masked_fill(missing[:, None, places], -math.inf)
            yield Block(queries[:, :, block], places, bias)

    def extra_repr(self) -> str:
        return f"heads={self.heads}, dropout={self.dropout}"


def by_place(
    scores: Float[Tensor, "*rows time distances"], places: int
) -> Float[Tensor, "*rows time {places}"]:
    """Move scores from distances to the places of keys: the relative shift of Transformer-XL, one copy.

    Args:
        scores: [*rows, time, distances], for a key farthest away, …, 1 and 0 steps before the step.
        places: how many keys there are, the last of them the last step's own.

    Returns:
        [*rows, time, places], -∞ for keys that lie ahead of a step or farther than all distances.

    Example:
        >>> by_place(torch.tensor([[2.0, 1.0, 0.0]] * 3), 4)
        tensor([[1., 0., -inf, -inf],
                [2., 1., 0., -inf],
                [-inf, 2., 1., 0.]])
    """
    time, distances = scores.shape[-2:]
    # Rows one longer than they are read back: each step's scores begin one place later.
    rows = pad(scores, (0, time), value=-math.inf).flatten(-2)
    width = distances + time - 1
    return rows[..., : time * width].unflatten(-1, (time, width))[..., width - places :]


def by_place_of(
    scores: Float[Tensor, "heads batch time distances"],
    places: int,
    ahead: Int[Tensor, "batch time"],
) -> Float[Tensor, "heads batch time {places}"]:
    """Return what `by_place` does, for steps that do not follow one on the other.

    Args:
        scores: [heads, batch, time, distances].
        places: how many keys there are.
        ahead: [batch, time], how many of them lie ahead of a step.

    Example:
        >>> scores = torch.tensor([[[[1.0, 0.0]] * 2]])
        >>> by_place_of(scores, 4, torch.tensor([[3, 1]]))
        tensor([[[[0., -inf, -inf, -inf],
                  [-inf, 1., 0., -inf]]]])
    """
    distances = scores.shape[-1]
    columns = torch.arange(distances - places, distances, device=ahead.device) + ahead[..., None]
    moved = scores.take_along_dim(columns.clamp(0, distances - 1)[None], -1)
    return moved.masked_fill((columns < 0) | (columns >= distances), -math.inf)


def distance_encodings(reach: int, size: int, like: Tensor) -> Float[Tensor, "distances {size}"]:
    """Return R(d) = [sin(d ω_i) …, cos(d ω_i) …], ω_i = 10000^(-2i / size), for d = reach, …, 1, 0.

    Example:
        >>> distance_encodings(1, 2, torch.zeros(()))
        tensor([[0.8415, 0.5403],
                [0.0000, 1.0000]])
    """
    exact = at_least_float32(like.dtype)
    distances = torch.arange(reach, -1, -1, device=like.device, dtype=exact)
    exponents = torch.arange(0, size, 2, device=like.device, dtype=exact) / size
    angles = distances[:, None] * 10000.0**-exponents
    return torch.cat([angles.sin(), angles.cos()], 1)[:, :size].to(like.dtype)
