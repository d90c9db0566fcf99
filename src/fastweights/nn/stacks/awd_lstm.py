"""AWD-LSTM: the regularised LSTM of word language models."""

from __future__ import annotations

from typing import Unpack

from fastweights.nn.baselines.lstm import LSTM
from fastweights.nn.parts.construction import Placement
from fastweights.nn.stacks.awd_stack import AWDStack, layer_sizes


class AWDLSTM(AWDStack):
    """LSTMs with dropped recurrent weights, variational dropout and a regularised output.

        y = regularise(LSTM_L(drop(… LSTM_1(x))))

    The last layer outputs as many features as the first one takes, so that the matrix of the embedding can
    be the one of the softmax. Words and elements of their vectors are dropped where they are looked
    up (`models.encoders.DroppedEmbedding`).

    Args:
        input_size: features of x.
        hidden_size: features of every layer's h but the last's.
        layers: L.
        output_size: features of y, the last layer's h; None means input_size.
        recurrent_dropout: the probability, in training, that an element of a recurrent weight
            matrix is dropped (once a forward, for all its rows and steps).
        hidden_dropout: the probability, in training, that a feature between two layers is dropped,
            the same ones at all steps of a row.
        output_dropout: the same of the output's features.
        activation: the weight on large outputs in the regulariser's `auxiliary_loss`.
        slowness: the weight there on outputs that differ from one step to the next.
        backend: of the layers, as `LSTM` lists them.
        options: `device` and `dtype`, as every layer takes them (`nn.Placement`).

    Parameters: those of each of `layers`, an `LSTM`: with the published sizes (400, 1150, 3 layers)
    20.2M.

    Raises:
        UserError: for an option outside its range.

    Source: Merity, Keskar & Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018.
    The defaults are those of Schlag, Munkhdalai & Schmidhuber, "Learning Associative Inference
    Using Fast Weight Memory", ICLR 2021, on Penn Treebank, with `recurrent_dropout` .66 there.

    Example:
        >>> import torch
        >>> y, state = AWDLSTM(8, 16)(torch.randn(4, 11, 8))
        >>> y.shape, [part.cell.shape[1] for part in state]
        (torch.Size([4, 11, 8]), [16, 16, 8])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        layers: int = 3,
        *,
        output_size: int | None = None,
        recurrent_dropout: float = 0.5,
        hidden_dropout: float = 0.3,
        output_dropout: float = 0.4,
        activation: float = 2.0,
        slowness: float = 1.0,
        backend: str = "auto",
        **options: Unpack[Placement],
    ) -> None:
        super().__init__(
            (
                LSTM(*sizes, recurrent_dropout=recurrent_dropout, backend=backend)
                for sizes in layer_sizes(input_size, hidden_size, output_size, layers)
            ),
            hidden_dropout=hidden_dropout,
            output_dropout=output_dropout,
            activation=activation,
            slowness=slowness,
        )
        self.hidden_size = hidden_size
