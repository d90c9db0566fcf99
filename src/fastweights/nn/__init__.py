"""The layers: fast weight memories first, then the baselines they are measured against."""

from fastweights.nn.associative_lstm import AssociativeLSTM, AssociativeLSTMState
from fastweights.nn.base import Backbone, HiddenState, Trace
from fastweights.nn.elman_rnn import ElmanRNN
from fastweights.nn.fast_weight_rnn import FastWeightRNN, FastWeightState
from fastweights.nn.irnn import IRNN
from fastweights.nn.layer_norm_gru import LayerNormGRU
from fastweights.nn.layer_norm_rnn import LayerNormRNN
from fastweights.nn.lstm import LSTM, LSTMState
from fastweights.nn.stack import Stack

__all__ = [
    "IRNN",
    "LSTM",
    "AssociativeLSTM",
    "AssociativeLSTMState",
    "Backbone",
    "ElmanRNN",
    "FastWeightRNN",
    "FastWeightState",
    "HiddenState",
    "LSTMState",
    "LayerNormGRU",
    "LayerNormRNN",
    "Stack",
    "Trace",
]
