"""A stack of layers whose output is regularised: the base of the AWD networks."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Unpack

from jaxtyping import Float
from torch import Tensor

from fastweights.nn.backbone import Backbone, Input, Mask, StepInput, Trace
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import Placement
from fastweights.nn.parts.embedded import Embedded
from fastweights.nn.parts.output_regulariser import OutputRegulariser
from fastweights.nn.stacks.stack import Stack


class AWDStack(Stack):
    """Layers on top of each other, dropout between them, and an `OutputRegulariser` on the last.

        y = regularise(layer_L(drop(… layer_1(x))))

    Args:
        layers: at least one backbone, each taking what the one before it outputs.
        hidden_dropout: the probability, in training, that a feature between two layers is dropped,
            the same ones at all steps of a row.
        output_dropout: the same of the output's features.
        activation: the weight on large outputs in `auxiliary_loss`.
        slowness: the weight there on outputs that differ from one step to the next.
        options: `device` and `dtype`, as every layer takes them (`nn.Placement`).

    Raises:
        UserError: if two sizes do not fit, or an option is outside its range.

    Source: Merity, Keskar & Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018.

    Example:
        >>> import torch
        >>> from fastweights.nn import LSTM
        >>> stack = AWDStack([LSTM(8, 16), LSTM(16, 8)])
        >>> y, state = stack(torch.randn(4, 11, 8))
        >>> y.shape, stack.regulariser.auxiliary_loss.shape
        (torch.Size([4, 11, 8]), torch.Size([]))
    """

    def __init__(
        self,
        layers: Iterable[Backbone],
        *,
        hidden_dropout: float = 0.3,
        output_dropout: float = 0.4,
        activation: float = 2.0,
        slowness: float = 1.0,
        **options: Unpack[Placement],
    ) -> None:
        super().__init__(layers, dropout=hidden_dropout)
        self.regulariser = OutputRegulariser(output_dropout, activation, slowness)

    def run(
        self,
        x: Input | Embedded,
        state: tuple[Any, ...] | None,
        mask: Mask,
        read_mask: Mask,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time output"], tuple[Any, ...]]:
        y, state = super().run(x, state, mask, read_mask, need_state)
        return self.regulariser(y, mask), state

    def run_step(
        self, x: StepInput, state: tuple[Any, ...] | None
    ) -> tuple[Float[Tensor, "batch output"], tuple[Any, ...]]:
        y, state = super().run_step(x, state)
        return self.regulariser(y[:, None])[:, 0], state

    def run_trace(self, x: Input, state: tuple[Any, ...] | None, steps: tuple[int, ...]) -> Trace:
        trace = super().run_trace(x, state, steps)
        return trace._replace(output=self.regulariser(trace.output))


def layer_sizes(
    input_size: int, hidden_size: int, output_size: int | None, layers: int
) -> list[tuple[int, int]]:
    """Return the input and output size of each layer; the last outputs as many as the first takes by default.

    Raises:
        UserError: for a size below 1.

    Example:
        >>> layer_sizes(400, 1150, None, 3)
        [(400, 1150), (1150, 1150), (1150, 400)]
    """
    output_size = input_size if output_size is None else output_size
    check_sizes(input_size=input_size, hidden_size=hidden_size, layers=layers)
    check_sizes(output_size=output_size)
    sizes = [input_size, *[hidden_size] * (layers - 1), output_size]
    return list(pairwise(sizes))
