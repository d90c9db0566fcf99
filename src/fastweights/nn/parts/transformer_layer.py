"""One layer of a Transformer-XL: attention and a network of two matrices, each added to what came in."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from fastweights.nn.parts.relative_attention import RelativeAttention


class Context(NamedTuple):
    """The context of the layers' attention, as `RelativeAttention` takes it: the past that entered each
    layer (None: there is none), where rows lack it, and the encodings of the distances."""

    pasts: tuple[Float[Tensor, "batch before hidden"] | None, ...]
    empty: Bool[Tensor, "batch before"] | None
    encodings: Float[Tensor, "distances hidden"]


class TransformerLayer(nn.Module):
    """a = LN(h + RelativeAttention(h)), then LN(a + W_2 ReLU(W_1 a + b_1) + b_2).

    Args:
        hidden_size: features of h.
        heads: heads of the attention.
        inner_size: rows of W_1.
        dropout: the share dropped in training of what attention, W_1 and W_2 give.
        attention_dropout: likewise of the attention's weights.
        pre_norm: LN before attention and W_1 instead of after the sums.
    """

    def __init__(
        self,
        hidden_size: int,
        heads: int,
        inner_size: int,
        *,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        pre_norm: bool = False,
    ) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.attention = RelativeAttention(hidden_size, heads, attention_dropout)
        self.attention_norm = nn.LayerNorm(hidden_size)
        self.feed_forward = nn.Sequential(
            nn.Linear(hidden_size, inner_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(inner_size, hidden_size),
            nn.Dropout(dropout),
        )
        self.feed_forward_norm = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        h: Float[Tensor, "batch time hidden"],
        past: Float[Tensor, "batch before hidden"] | None,
        context: Context,
        steps: Int[Tensor, "batch queries"] | None = None,
    ) -> Float[Tensor, "batch queries hidden"]:
        """Run the steps of a segment, or those named alone; `past` is what entered before it."""
        given = self._entering(h, past)
        read = self.attention(*given, context.empty, context.encodings, steps)
        h = h if steps is None else h.take_along_dim(steps[:, :, None], 1)
        a = h + self.dropout(read)
        if self.pre_norm:
            return a + self.feed_forward(self.feed_forward_norm(a))
        a = self.attention_norm(a)
        return self.feed_forward_norm(a + self.feed_forward(a))

    def weights(
        self,
        h: Float[Tensor, "batch time hidden"],
        past: Float[Tensor, "batch before hidden"] | None,
        context: Context,
    ) -> Float[Tensor, "batch time heads time"]:
        """Return the weights of the attention, as `RelativeAttention.weights` does."""
        return self.attention.weights(*self._entering(h, past), context.empty, context.encodings)

    def _entering(
        self, h: Tensor, past: Tensor | None
    ) -> tuple[Float[Tensor, "batch time hidden"], Float[Tensor, "batch before hidden"] | None]:
        """Return what attention sees of h and of the past."""
        if not self.pre_norm:
            return h, past
        return self.attention_norm(h), None if past is None else self.attention_norm(past)

    def extra_repr(self) -> str:
        return f"pre_norm={self.pre_norm}"
