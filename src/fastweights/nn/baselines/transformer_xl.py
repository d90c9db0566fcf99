"""Transformer-XL: attention over a window of the past that the state carries from segment to segment."""

from __future__ import annotations

from typing import Literal, NamedTuple, Unpack

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from fastweights.errors import check_choice
from fastweights.nn.backbone import Backbone, Input, Mask, Trace
from fastweights.nn.parts.checks import check_range, check_sizes
from fastweights.nn.parts.construction import Placement
from fastweights.nn.parts.relative_attention import distance_encodings
from fastweights.nn.parts.transformer_layer import Context, TransformerLayer
from fastweights.nn.parts.wrapped import inside
from fastweights.ops import padding
from fastweights.ops.tracing import is_open, recorded

HEAD_SIZE = 64


class TransformerXLState(NamedTuple):
    """past [batch, layers, memory_length, hidden], what entered each layer at the last steps, the
    latest at the end, and length [batch], how many of them a row has had (the rest are zeros)."""

    past: Float[Tensor, "batch layers before hidden"]
    length: Int[Tensor, " batch"]


class TransformerXL(Backbone[TransformerXLState]):
    """A Transformer with relative positions whose every layer also attends to what entered it before.

        h_0    = W x                                      (h_0 = x where the sizes are equal)
        a_l(t) = LN(h_{l-1}(t) + RelativeAttention(h_{l-1}(t - memory_length … t)))
        h_l(t) = LN(a_l(t) + W_2 ReLU(W_1 a_l(t) + b_1) + b_2)
        y      = h_L

    A step attends to itself and to exactly the last `memory_length` steps, in whichever segments
    they came. The state holds these steps' h_0 … h_{L-1}: keys and values are made of them anew,
    with the weights of the day. Gradients flow into a state that is not detached
    (`fastweights.state.detach`); the published program detaches it between segments.

    Args:
        input_size: features of x.
        hidden_size: features of every h and of y.
        layers: how many.
        heads: heads of each attention; None means as many as there can be of 64 features or more.
        inner_size: rows of W_1; None means 4 · hidden_size.
        memory_length: steps before its own that a step attends to.
        dropout: the share dropped in training of h_0, R, y, and of what attention, W_1 and W_2 give.
        attention_dropout: likewise of the attention's weights.
        pre_norm: LN before attention and W_1 instead of after the sum.
        window: "steps" as above; "segment" as published: a step sees all of its own segment before
            it and the `memory_length` steps before that, so that cutting elsewhere changes results.
        weight_std: standard deviation of the weights and of u and v at the start.
        options: `device` and `dtype`, as every layer takes them (`nn.Placement`).

    Parameters: input.weight [hidden, input] (where the sizes differ), and for each layer
    attention.… (see `RelativeAttention`), attention_norm.…, feed_forward.0.… (W_1, b_1),
    feed_forward.3.… (W_2, b_2) and feed_forward_norm.….

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Dai, Yang, Yang, Carbonell, Le & Salakhutdinov, "Transformer-XL: Attentive Language
    Models Beyond a Fixed-Length Context", ACL 2019; for catbAbI Schlag et al. 2021, appendix F.3.

    Example:
        >>> layer = TransformerXL(8, 16, layers=2, memory_length=20)
        >>> y, state = layer(torch.randn(4, 11, 8))
        >>> y.shape, state.past.shape, state.length.tolist()
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 20, 16]), [11, 11, 11, 11])
    """

    state_type = TransformerXLState
    counters = ("length",)
    copied = ("past",)
    reads_outside = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 512,
        *,
        layers: int = 3,
        heads: int | None = None,
        inner_size: int | None = None,
        memory_length: int = 1200,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        pre_norm: bool = False,
        window: Literal["steps", "segment"] = "steps",
        weight_std: float = 0.02,
        **options: Unpack[Placement],
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, layers=layers)
        heads = most_heads(hidden_size) if heads is None else heads
        inner_size = 4 * hidden_size if inner_size is None else inner_size
        check_sizes(heads=heads, inner_size=inner_size, memory_length=memory_length)
        check_range("dropout", dropout, 0, 1)
        check_range("attention_dropout", attention_dropout, 0, 1)
        check_range("weight_std", weight_std, 0)
        check_choice("window", window, ("steps", "segment"))
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.heads, self.memory_length, self.window = heads, memory_length, window
        same = input_size == hidden_size
        self.input = nn.Identity() if same else nn.Linear(input_size, hidden_size, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(
                hidden_size,
                heads,
                inner_size,
                dropout=dropout,
                attention_dropout=attention_dropout,
                pre_norm=pre_norm,
            )
            for _ in range(layers)
        )
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=weight_std)
            elif "norm" not in name:
                nn.init.zeros_(parameter)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (len(self.layers), self.memory_length, self.hidden_size), ()

    def run(
        self,
        x: Input,
        state: TransformerXLState | None,
        mask: Mask,
        read_mask: Mask,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time hidden"], TransformerXLState | None]:
        lengths, shift = (None, None) if mask is None else padding.lengths_and_shift(mask)
        if mask is not None and shift is not None:
            x = padding.to_front(x, shift)
            read_mask = None if read_mask is None else padding.to_front(mask & read_mask, shift)
        y, entered = self._through(x, self._context(state, x), read_mask)
        if mask is not None and shift is not None:
            y = padding.to_back(y, shift).masked_fill(~mask[:, :, None], 0)
        return y, self._carried(entered, state, lengths) if need_state else None

    def run_trace(
        self, x: Input, state: TransformerXLState | None, steps: tuple[int, ...]
    ) -> Trace:
        context = self._context(state, x)
        y, entered = self._through(x, context, None)
        layers = zip(self.layers, entered, context.pasts, strict=True)
        weights = [
            inside(layer, TransformerLayer).weights(h, past, context) for layer, h, past in layers
        ]
        return Trace(y, y, torch.cat(weights, 2), None, (), self._carried(entered, state, None))

    def _context(self, state: TransformerXLState | None, x: Input) -> Context:
        time, before = x.shape[1], 0 if state is None else self.memory_length
        farthest = before + time - 1
        if self.window == "segment":
            reach = farthest
        else:  # of an open number of steps, what lies farther than there are is never seen
            reach = self.memory_length if is_open(time) else min(self.memory_length, farthest)
        encodings = self.dropout(
            distance_encodings(reach, self.hidden_size, self.reference_parameter)
        )
        if state is None:
            return Context((None,) * len(self.layers), None, encodings)
        places = torch.arange(before, device=x.device)
        empty = places < before - state.length[:, None]
        # A memory that is full, as it soon is, spares a pass over the logits.
        full = not (x.is_meta or torch.compiler.is_compiling()) and not bool(empty.any())
        return Context(state.past.unbind(1), None if full else empty, encodings)

    def _through(
        self, x: Float[Tensor, "batch time input"], context: Context, read_mask: Mask
    ) -> tuple[Float[Tensor, "batch time hidden"], list[Float[Tensor, "batch time hidden"]]]:
        """Return y, 0 where it is not read, and what entered each layer."""
        h, entered = self.dropout(self.input(x)), []
        *below, (last, past) = zip(self.layers, context.pasts, strict=True)
        for layer, before in below:
            entered.append(h)
            h = layer(h, before, context)
        entered.append(h)
        if read_mask is None:
            return self.dropout(last(h, past, context)), entered
        if recorded():  # a graph has no such number of steps
            return self.dropout(last(h, past, context)).masked_fill(
                ~read_mask[:, :, None], 0
            ), entered
        steps, chosen = chosen_steps(read_mask)
        read = self.dropout(last(h, past, context, steps))
        unread = read.new_zeros(*read_mask.shape, self.hidden_size)
        return unread.masked_scatter(read_mask[:, :, None], read[chosen]), entered

    def _carried(
        self,
        entered: list[Tensor],
        state: TransformerXLState | None,
        lengths: Int[Tensor, " batch"] | None,
    ) -> TransformerXLState:
        """Return the state after the first `lengths` steps of each row (None: all)."""
        batch, time, _ = entered[0].shape
        past, length = self.initial_state(batch) if state is None else state
        size = self.memory_length
        if lengths is None and is_open(time):
            lengths = torch.full((batch,), time, device=past.device)
        if lengths is None:
            newest = torch.stack([h[:, -size:] for h in entered], 1)
            past, taken = torch.cat([past[:, :, time:], newest], 2), time
        else:
            seen = torch.cat([past, torch.stack(entered, 1)], 2)
            last = lengths[:, None] + torch.arange(size, device=lengths.device)
            past, taken = seen.gather(2, last[:, None, :, None].expand_as(past)), lengths
        return TransformerXLState(past, (length + taken).clamp(max=size))

    def extra_repr(self) -> str:
        return (
            f"{self.input_size}, {self.hidden_size}, memory_length={self.memory_length}, "
            f"window={self.window}"
        )


def chosen_steps(
    marked: Bool[Tensor, "batch time"],
) -> tuple[Int[Tensor, "batch most"], Bool[Tensor, "batch most"]]:
    """List each row's marked steps, as many for every row as the row with the most has.

    Returns:
        The steps, and which of them are marked ones; the rest repeat a row's last.

    Example:
        >>> steps, real = chosen_steps(torch.tensor([[False, True, True], [True, False, False]]))
        >>> steps.tolist(), real.tolist()
        ([[1, 2], [0, 0]], [[True, True], [True, False]])
    """
    counts = marked.sum(1, keepdim=True)
    places = torch.arange(max(1, int(counts.max())), device=marked.device)
    first = torch.argsort(marked.to(torch.int8), dim=1, descending=True, stable=True)
    return first.gather(1, places.minimum((counts - 1).clamp(min=0))), places < counts


def most_heads(hidden_size: int) -> int:
    """Return the greatest number of heads that divides the features into 64 or more each.

    Example:
        >>> most_heads(512), most_heads(200), most_heads(50)
        (8, 2, 1)
    """
    fitting = (n for n in range(1, hidden_size // HEAD_SIZE + 1) if hidden_size % n == 0)
    return max(fitting, default=1)
