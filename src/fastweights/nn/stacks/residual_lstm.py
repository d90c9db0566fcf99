"""A deep LSTM with residual connections and the dropouts of AWD-LSTM: catbAbI's LSTM baseline."""

from __future__ import annotations

from typing import Unpack

from fastweights.nn.baselines.lstm import LSTM
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import Placement
from fastweights.nn.stacks.stack import Stack


class ResidualLSTM(Stack):
    """LSTMs on top of each other, each but the first adding to what it takes.

        y_1 = LSTM_1(x)
        y_l = y_l-1 + LSTM_l(drop(y_l-1))        l = 2 … L

    The first layer has no residual connection, as it maps from one size to another. Of the four
    dropouts of the paper two are here; words and elements of their vectors are dropped where they
    are looked up (`models.encoders.DroppedEmbedding`). The paper gives no rates: all are 0 until set.

    Args:
        input_size: features of x.
        hidden_size: features of each layer's h and of y.
        layers: L.
        recurrent_dropout: the probability, in training, that an element of a recurrent weight
            matrix is dropped (once a forward, for all its rows and steps).
        hidden_dropout: the probability, in training, that a feature between two layers is dropped,
            the same ones at all steps of a row.
        forget_bias: added to each forget gate's bias at the start.
        backend: of the layers, as `LSTM` lists them.
        options: `device` and `dtype`, as every layer takes them (`nn.Placement`).

    Parameters: those of each of `layers`, an `LSTM`. With an embedding of 256, 512 units and 4
    layers they are 7.9M, with catbAbI's embedding and head the 8M of the paper's table 1; the state
    has its 4,096 numbers.

    Raises:
        UserError: for an option outside its range.

    Source: Schlag, Munkhdalai & Schmidhuber, "Learning Associative Inference Using Fast Weight
    Memory", ICLR 2021, appendix F.4; the dropouts are those of Merity, Keskar & Socher,
    "Regularizing and Optimizing LSTM Language Models", ICLR 2018. Where the residual connections
    begin, and that they pass the dropout by, is our reading.

    Example:
        >>> import torch
        >>> y, state = ResidualLSTM(8, 16, layers=3, hidden_dropout=0.2)(torch.randn(4, 11, 8))
        >>> y.shape, len(state), state[0].cell.shape
        (torch.Size([4, 11, 16]), 3, torch.Size([4, 16]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        layers: int = 4,
        recurrent_dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        forget_bias: float = 0.0,
        backend: str = "auto",
        **options: Unpack[Placement],
    ) -> None:
        check_sizes(input_size=input_size, hidden_size=hidden_size, layers=layers)
        super().__init__(
            [
                LSTM(
                    input_size if place == 0 else hidden_size,
                    hidden_size,
                    forget_bias=forget_bias,
                    recurrent_dropout=recurrent_dropout,
                    backend=backend,
                )
                for place in range(layers)
            ],
            residual=True,
            dropout=hidden_dropout,
        )
        self.hidden_size = hidden_size
