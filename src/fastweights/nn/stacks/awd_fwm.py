"""AWD-LSTM with a Fast Weight Memory on top: the word language model of Schlag et al. 2021."""

from __future__ import annotations

from typing import Literal, Unpack

from fastweights import ops
from fastweights.nn.baselines.lstm import LSTM
from fastweights.nn.memories.fwm_lstm import FWMLSTM
from fastweights.nn.parts.construction import Placement
from fastweights.nn.stacks.awd_stack import AWDStack, layer_sizes


class AWDFWM(AWDStack):
    """An `AWDLSTM` whose last layer has a memory: it writes to it and adds what it reads.

        y = regularise(FWMLSTM(drop(LSTM_L-1(drop(… LSTM_1(x))))))

    Args:
        input_size: features of x.
        hidden_size: features of every layer's h but the last's.
        layers: L; the last is an `FWMLSTM`.
        output_size: features of y, the last layer's h; None means input_size.
        memory_size: d, the features of the memory's k1 and v.
        reads: chained reads in a step.
        variant: "language_model", "catbabi", "paper" or "meta_rl", as `FastWeightMemory` has them.
        key_size: features of the memory's k2; None means memory_size.
        combine: "product" or "concat", how the memory's two key factors make one key.
        recurrent_dropout: the probability, in training, that an element of a recurrent weight
            matrix is dropped (once a forward, for all its rows and steps).
        hidden_dropout: the probability, in training, that a feature between two layers is dropped,
            the same ones at all steps of a row.
        output_dropout: the same of the output's features.
        activation: the weight on large outputs in the regulariser's `auxiliary_loss`.
        slowness: the weight there on outputs that differ from one step to the next.
        backend: the memory's, and the LSTMs' where they have one of that name;
            `ops.delta_memory` lists them.
        options: `device` and `dtype`, as every layer takes them (`nn.Placement`).

    Parameters: those of each of `layers`: with the published sizes (400, 1150, 3 layers, d 32)
    20.3M, and 24,325,025 with the 10,000 words of Penn Treebank, whose vectors are embedding and
    softmax in one.

    Raises:
        UserError: for an option outside its range.

    Source: Schlag, Munkhdalai & Schmidhuber, "Learning Associative Inference Using Fast Weight
    Memory", ICLR 2021, section 4.3 and appendix H; its regularisation is that of Merity, Keskar &
    Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018.

    Example:
        >>> import torch
        >>> y, state = AWDFWM(8, 16, memory_size=4)(torch.randn(2, 11, 8))
        >>> y.shape, len(state), state[-1].memory.shape
        (torch.Size([2, 11, 8]), 3, torch.Size([2, 4, 4, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        layers: int = 3,
        *,
        output_size: int | None = None,
        memory_size: int = 32,
        reads: int = 3,
        variant: Literal["catbabi", "paper", "language_model", "meta_rl"] = "language_model",
        key_size: int | None = None,
        combine: Literal["product", "concat"] = "product",
        recurrent_dropout: float = 0.5,
        hidden_dropout: float = 0.3,
        output_dropout: float = 0.4,
        activation: float = 2.0,
        slowness: float = 1.0,
        backend: str = "auto",
        **options: Unpack[Placement],
    ) -> None:
        *below, last = layer_sizes(input_size, hidden_size, output_size, layers)
        top = FWMLSTM(
            *last,
            memory_size=memory_size,
            reads=reads,
            variant=variant,
            key_size=key_size,
            combine=combine,
            recurrent_dropout=recurrent_dropout,
            backend=backend,
        )
        lstm_backend = ops.backend.backend_or_auto("lstm", backend)
        lstms = (
            LSTM(*sizes, recurrent_dropout=recurrent_dropout, backend=lstm_backend)
            for sizes in below
        )
        super().__init__(
            (*lstms, top),
            hidden_dropout=hidden_dropout,
            output_dropout=output_dropout,
            activation=activation,
            slowness=slowness,
        )
        self.hidden_size = hidden_size
