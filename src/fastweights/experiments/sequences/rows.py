"""The rows of the tables: every backbone that is no language model, and what is published of some."""

from __future__ import annotations

from typing import NamedTuple


class Backbone(NamedTuple):
    """A row: a registered model, with options other than its own defaults."""

    model: str
    set: tuple[str, ...] = ()


NEGATIVE = ("negative_eigenvalues=true",)

BACKBONES = {
    "fast-weights": Backbone("fast-weights"),
    "fast-weights-flat": Backbone("fast-weights-flat"),
    "fast-weights-two-paths": Backbone("fast-weights-two-paths"),
    "fwm": Backbone("fwm"),
    "fwm + residual": Backbone("fwm", ("residual=true",)),
    "linear-attention": Backbone("linear-attention"),
    "gated-linear-attention": Backbone("gated-linear-attention"),
    "hgrn2": Backbone("hgrn2"),
    "mlstm": Backbone("mlstm"),
    "deltanet": Backbone("deltanet"),
    "deltanet [-1, 1]": Backbone("deltanet", NEGATIVE),
    "gated-deltanet": Backbone("gated-deltanet"),
    "gated-deltanet [-1, 1]": Backbone("gated-deltanet", NEGATIVE),
    "kimi-delta-attention": Backbone("kimi-delta-attention"),
    "gated-deltanet-2": Backbone("gated-deltanet-2"),
    "gated-deltaproduct": Backbone("gated-deltaproduct"),
    "comba": Backbone("comba"),
    "rwkv-7": Backbone("rwkv-7"),
    "titans": Backbone("titans"),
    "recurrent-deltanet": Backbone("recurrent-deltanet"),
    "srwm": Backbone("srwm"),
    "m2rnn": Backbone("m2rnn"),
    "mnm": Backbone("mnm"),
    "transformer-xl": Backbone("transformer-xl"),
    "lstm": Backbone("lstm"),
    "gru": Backbone("gru"),
    "gru-ln": Backbone("gru-ln"),
    "associative-lstm": Backbone("associative-lstm"),
    "irnn": Backbone("irnn"),
    "rnn": Backbone("rnn"),
    "rnn-ln": Backbone("rnn-ln"),
}
"""By what the tables call them."""

LEFT_OUT = {
    "residual-lstm": "made for language: a deep LSTM with dropout",
    "awd-lstm": "made for language: an LSTM with dropout",
    "awd-fwm": "made for language: it is `fwm` on an LSTM with dropout",
    "awd-txl": "made for language: it is `transformer-xl` with dropout",
    "convnet": "made for glimpses alone",
}
"""Registered backbones that are no rows, and why."""

PUBLISHED_TRACKING = {
    "lstm": 100.0,
    "gated-deltaproduct": 80.7,
    "deltanet [-1, 1]": 77.7,
    "gated-deltanet": 63.3,
    "deltanet": 62.5,
    "Mamba": 58.9,
    "mlstm": 58.5,
    "rwkv-7": 54.1,
    "Transformer": 47.7,
}
"""Published accuracies in percent, the mean of four tasks, trained on at most 40 symbols and tested on at most 256."""

PUBLISHED_MAD = {
    "PaTH": 80.8,
    "Transformer": 76.4,
    "Mesa": 75.1,
    "mlstm": 74.7,
    "rwkv-7": 74.6,
    "Mamba": 73.1,
    "gated-deltaproduct": 72.3,
    "gated-deltanet": 71.2,
    "deltanet": 69.7,
    "gated-linear-attention": 67.9,
}
"""Published mean accuracies in percent over the six tests of MAD and their variations in size."""
