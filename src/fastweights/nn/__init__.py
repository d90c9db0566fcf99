"""The layers: fast weight memories first, then the baselines they are measured against."""

from fastweights.nn.backbone import Backbone, HiddenState, Trace
from fastweights.nn.baselines.associative_lstm import AssociativeLSTM, AssociativeLSTMState
from fastweights.nn.baselines.causal_convolution import (
    CausalConvolution,
    CausalConvolutionState,
)
from fastweights.nn.baselines.conv_net import ConvNet, ConvNetState
from fastweights.nn.baselines.elman_rnn import ElmanRNN
from fastweights.nn.baselines.gru import GRU
from fastweights.nn.baselines.irnn import IRNN
from fastweights.nn.baselines.layer_norm_gru import LayerNormGRU
from fastweights.nn.baselines.layer_norm_rnn import LayerNormRNN
from fastweights.nn.baselines.lstm import LSTM, LSTMState
from fastweights.nn.baselines.transformer_xl import TransformerXL, TransformerXLState
from fastweights.nn.memories.comba import Comba
from fastweights.nn.memories.delta_net import DeltaNet, DeltaNetState
from fastweights.nn.memories.fast_weight_memory import FastWeightMemory, FastWeightMemoryState
from fastweights.nn.memories.fast_weight_rnn import FastWeightRNN, FastWeightState
from fastweights.nn.memories.fwm_lstm import FWMLSTM, FWMLSTMState
from fastweights.nn.memories.gated_delta_net import GatedDeltaNet
from fastweights.nn.memories.gated_delta_net_2 import GatedDeltaNet2
from fastweights.nn.memories.gated_delta_product import GatedDeltaProduct
from fastweights.nn.memories.gated_linear_attention import GatedLinearAttention
from fastweights.nn.memories.hebbian_layer import HebbianState
from fastweights.nn.memories.hgrn2 import HGRN2
from fastweights.nn.memories.kimi_delta_attention import KimiDeltaAttention
from fastweights.nn.memories.linear_attention import LinearAttention, LinearAttentionState
from fastweights.nn.memories.m2rnn import M2RNN
from fastweights.nn.memories.matrix_rnn import MatrixState
from fastweights.nn.memories.metalearned_neural_memory import (
    MetalearnedNeuralMemory,
    MetalearnedNeuralMemoryState,
)
from fastweights.nn.memories.mlstm import MLSTM, MLSTMState
from fastweights.nn.memories.recurrent_delta_net import RecurrentDeltaNet, RecurrentDeltaNetState
from fastweights.nn.memories.rwkv7 import RWKV7, RWKV7State
from fastweights.nn.memories.self_referential_weight_matrix import SelfReferentialWeightMatrix
from fastweights.nn.memories.titans import Titans, TitansState
from fastweights.nn.memories.two_path_rnn import TwoPathRNN
from fastweights.nn.parts.construction import LayerOptions, Placement
from fastweights.nn.parts.dropout import VariationalDropout
from fastweights.nn.parts.embedded import Embedded
from fastweights.nn.parts.output import Output
from fastweights.nn.parts.output_regulariser import OutputRegulariser
from fastweights.nn.stacks.awd_fwm import AWDFWM
from fastweights.nn.stacks.awd_lstm import AWDLSTM
from fastweights.nn.stacks.awd_stack import AWDStack
from fastweights.nn.stacks.awd_transformer_xl import AWDTransformerXL
from fastweights.nn.stacks.residual_lstm import ResidualLSTM
from fastweights.nn.stacks.stack import Stack

__all__ = [
    "AWDFWM",
    "AWDLSTM",
    "FWMLSTM",
    "GRU",
    "HGRN2",
    "IRNN",
    "LSTM",
    "M2RNN",
    "MLSTM",
    "RWKV7",
    "AWDStack",
    "AWDTransformerXL",
    "AssociativeLSTM",
    "AssociativeLSTMState",
    "Backbone",
    "CausalConvolution",
    "CausalConvolutionState",
    "Comba",
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
    "GatedDeltaNet2",
    "GatedDeltaProduct",
    "GatedLinearAttention",
    "HebbianState",
    "HiddenState",
    "KimiDeltaAttention",
    "LSTMState",
    "LayerNormGRU",
    "LayerNormRNN",
    "LayerOptions",
    "LinearAttention",
    "LinearAttentionState",
    "MLSTMState",
    "MatrixState",
    "MetalearnedNeuralMemory",
    "MetalearnedNeuralMemoryState",
    "Output",
    "OutputRegulariser",
    "Placement",
    "RWKV7State",
    "RecurrentDeltaNet",
    "RecurrentDeltaNetState",
    "ResidualLSTM",
    "SelfReferentialWeightMatrix",
    "Stack",
    "Titans",
    "TitansState",
    "Trace",
    "TransformerXL",
    "TransformerXLState",
    "TwoPathRNN",
    "VariationalDropout",
]
