"""Transformer-XL with the regularisation of AWD-LSTM: a baseline of word language models."""

from __future__ import annotations

from typing import Literal, Unpack

from fastweights.nn.baselines.transformer_xl import TransformerXL
from fastweights.nn.parts.construction import Placement
from fastweights.nn.stacks.awd_stack import AWDStack


class AWDTransformerXL(AWDStack):
    """A `TransformerXL` whose output is regularised.

        y = regularise(TransformerXL(x))

    Words and elements of their vectors are dropped where they are looked up
    (`models.encoders.DroppedEmbedding`). There is no recurrent weight to drop elements of.

    Args:
        input_size: features of x.
        hidden_size: features of every h and of y.
        layers: L.
        heads: heads of each attention; None means as many as there can be of 64 features or more.
        inner_size: rows of each layer's W_1; None means 4 · hidden_size.
        memory_length: steps before its own that a step attends to.
        hidden_dropout: the share dropped in training of what enters, passes and leaves the layers.
        attention_dropout: likewise of the attention's weights.
        pre_norm: LN before attention and W_1 instead of after the sum.
        window: "steps" or "segment", as `TransformerXL` has them.
        output_dropout: the probability, in training, that a feature of y is dropped, the same ones
            at all steps of a row.
        activation: the weight on large outputs in the regulariser's `auxiliary_loss`.
        slowness: the weight there on outputs that differ from one step to the next.
        options: `device` and `dtype`, as every layer takes them (`nn.Placement`).

    Parameters: layers.0.…, those of a `TransformerXL`.

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Dai et al., "Transformer-XL: Attentive Language Models Beyond a Fixed-Length Context",
    ACL 2019, as the baseline AWD-TXL of Schlag, Munkhdalai & Schmidhuber, "Learning Associative
    Inference Using Fast Weight Memory", ICLR 2021, table 2 and appendix H.

    Example:
        >>> import torch
        >>> y, state = AWDTransformerXL(8, 8, layers=2, memory_length=5)(torch.randn(4, 11, 8))
        >>> y.shape, state[0].past.shape
        (torch.Size([4, 11, 8]), torch.Size([4, 2, 5, 8]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        layers: int = 3,
        *,
        heads: int | None = None,
        inner_size: int | None = None,
        memory_length: int = 70,
        hidden_dropout: float = 0.3,
        attention_dropout: float = 0.0,
        pre_norm: bool = False,
        window: Literal["steps", "segment"] = "steps",
        output_dropout: float = 0.4,
        activation: float = 2.0,
        slowness: float = 1.0,
        **options: Unpack[Placement],
    ) -> None:
        transformer = TransformerXL(
            input_size,
            hidden_size,
            layers=layers,
            heads=heads,
            inner_size=inner_size,
            memory_length=memory_length,
            dropout=hidden_dropout,
            attention_dropout=attention_dropout,
            pre_norm=pre_norm,
            window=window,
        )
        super().__init__(
            (transformer,),
            output_dropout=output_dropout,
            activation=activation,
            slowness=slowness,
        )
        self.hidden_size = hidden_size
