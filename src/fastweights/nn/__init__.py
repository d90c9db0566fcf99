"""The layers: fast weight memories first, then the baselines they are measured against."""

from fastweights.nn.associative_lstm import AssociativeLSTM, AssociativeLSTMState
from fastweights.nn.awd_fwm import AWDFWM
from fastweights.nn.awd_lstm import AWDLSTM
from fastweights.nn.awd_stack import AWDStack
from fastweights.nn.base import Backbone, HiddenState, Trace
from fastweights.nn.conv_net import ConvNet, ConvNetState
from fastweights.nn.delta_net import DeltaNet, DeltaNetState
from fastweights.nn.dropout import VariationalDropout
from fastweights.nn.elman_rnn import ElmanRNN
from fastweights.nn.embedded import Embedded
from fastweights.nn.fast_weight_memory import FastWeightMemory, FastWeightMemoryState
from fastweights.nn.fast_weight_rnn import FastWeightRNN, FastWeightState
from fastweights.nn.fwm_lstm import FWMLSTM, FWMLSTMState
from fastweights.nn.gated_delta_net import GatedDeltaNet
from fastweights.nn.irnn import IRNN
from fastweights.nn.layer_norm_gru import LayerNormGRU
from fastweights.nn.layer_norm_rnn import LayerNormRNN
from fastweights.nn.linear_attention import LinearAttention, LinearAttentionState
from fastweights.nn.lstm import LSTM, LSTMState
from fastweights.nn.metalearned_neural_memory import (
    MetalearnedNeuralMemory,
    MetalearnedNeuralMemoryState,
)
from fastweights.nn.output_regulariser import OutputRegulariser
from fastweights.nn.residual_lstm import ResidualLSTM
from fastweights.nn.stack import Stack
from fastweights.nn.transformer_xl import TransformerXL, TransformerXLState

__all__ = [
    "AWDFWM",
    "AWDLSTM",
    "FWMLSTM",
    "IRNN",
    "LSTM",
    "AWDStack",
    "AssociativeLSTM",
    "AssociativeLSTMState",
    "Backbone",
    "ConvNet",
    "ConvNetState",
    "DeltaNet",
    "DeltaNetState",
    "ElmanRNN",
    "Embedded",
    "FWMLSTMState",
    "FastWeightMemory",
    "FastWeightMemoryState",
    "FastWeightRNN",
    "FastWeightState",
    "GatedDeltaNet",
    "HiddenState",
    "LSTMState",
    "LayerNormGRU",
    "LayerNormRNN",
    "LinearAttention",
    "LinearAttentionState",
    "MetalearnedNeuralMemory",
    "MetalearnedNeuralMemoryState",
    "OutputRegulariser",
    "ResidualLSTM",
    "Stack",
    "Trace",
    "TransformerXL",
    "TransformerXLState",
    "VariationalDropout",
]
