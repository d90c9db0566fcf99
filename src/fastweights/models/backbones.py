"""The backbones that come with the library, by the names that papers and documents use."""

from __future__ import annotations

from fastweights import nn
from fastweights.models.registry import register

register(
    "fast-weights",
    aliases=("rnn-ln-fw", "fwrnn"),
    summary="RNN with Hebbian fast weights, read within the step (Ba et al. 2016)",
)(nn.FastWeightRNN)

register(
    "fast-weights-flat",
    summary="fast weights read through the one nonlinearity of a step, tanh",
    defaults={"form": "flat", "nonlinearity": "tanh"},
)(nn.FastWeightRNN)

register(
    "fast-weights-two-paths",
    summary="RNN with Hebbian fast weights, read beside the nonlinearity of a step",
)(nn.TwoPathRNN)

register(
    "fwm",
    aliases=("fwm-lstm", "fast-weight-memory"),
    summary="LSTM with a Fast Weight Memory on top (Schlag et al. 2021)",
)(nn.FWMLSTM)

register(
    "linear-attention",
    aliases=("linear-transformer",),
    summary="causal linear attention, φ = elu + 1, with its normaliser (Katharopoulos et al. 2020)",
)(nn.LinearAttention)

register(
    "gated-linear-attention",
    aliases=("gla",),
    summary="linear attention that forgets each feature at a rate of its own (Yang et al. 2024)",
)(nn.GatedLinearAttention)

register(
    "hgrn2",
    summary="gated linear RNN, its state widened by outer products (Qin et al. 2024)",
)(nn.HGRN2)

register(
    "mlstm",
    aliases=("xlstm",),
    summary="matrix memory of xLSTM, with exponential input gates (Beck et al. 2024)",
)(nn.MLSTM)

register(
    "deltanet",
    aliases=("delta-net",),
    summary="linear attention written by the delta rule (Schlag et al. 2021, Yang et al. 2024)",
)(nn.DeltaNet)

register(
    "gated-deltanet",
    aliases=("gated-delta-net", "gdn"),
    summary="DeltaNet with a forgetting rate and an output gate (Yang et al. 2025)",
)(nn.GatedDeltaNet)

register(
    "kimi-delta-attention",
    aliases=("kda", "kimi-linear"),
    summary="Gated DeltaNet with a forgetting rate for each feature of the key (Kimi Team 2025)",
)(nn.KimiDeltaAttention)

register(
    "gated-deltanet-2",
    aliases=("gated-delta-net-2", "gdn-2", "gdn2"),
    summary="Kimi Delta Attention with gates apart for erasing and writing (2026)",
)(nn.GatedDeltaNet2)

register(
    "gated-deltaproduct",
    aliases=("gated-delta-product", "deltaproduct"),
    summary="Gated DeltaNet with several writes a step (Siems et al. 2025)",
)(nn.GatedDeltaProduct)

register(
    "comba",
    summary="Gated DeltaNet with feedback of its state into write and read (Hu et al. 2025)",
)(nn.Comba)

register(
    "rwkv-7",
    aliases=("rwkv7", "goose"),
    summary="delta rule with keys apart for removing and replacing (Peng et al. 2025)",
)(nn.RWKV7)

register(
    "titans",
    summary="linear memory learned with momentum and forgetting, a step a token (Behrouz et al. 2025)",
)(nn.Titans)

register(
    "recurrent-deltanet",
    aliases=("recurrent-delta-net", "rdn"),
    summary="delta memory that is given what it last read (Irie et al. 2021)",
)(nn.RecurrentDeltaNet)

register(
    "srwm",
    aliases=("self-referential-weight-matrix",),
    summary="weight matrix that computes its own changes (Irie et al. 2022)",
)(nn.SelfReferentialWeightMatrix)

register(
    "m2rnn",
    summary="nonlinear RNN whose hidden state is a matrix (Mishra et al. 2026)",
)(nn.M2RNN)

register(
    "mnm",
    aliases=("metalearned-neural-memory",),
    summary="LSTM with a network of fast weights as memory (Munkhdalai et al. 2019, MNM-p)",
)(nn.MetalearnedNeuralMemory)

register(
    "transformer-xl",
    aliases=("txl",),
    summary="attention over a window of the past, by relative positions (Dai et al. 2019)",
)(nn.TransformerXL)

register("irnn", summary="ReLU RNN that starts as the identity (Le et al. 2015)")(nn.IRNN)

register("rnn", aliases=("control", "elman"), summary="plain RNN, the control (Elman 1990)")(
    nn.ElmanRNN
)

register("rnn-ln", summary="RNN with layer normalisation, without fast weights")(nn.LayerNormRNN)

register("lstm", summary="long short-term memory, torch.nn.LSTM")(nn.LSTM)

register(
    "residual-lstm",
    summary="deep LSTM with residual connections and dropouts (Schlag et al. 2021)",
)(nn.ResidualLSTM)

register("awd-lstm", summary="LSTM of word language models, regularised (Merity et al. 2018)")(
    nn.AWDLSTM
)

register("awd-fwm", summary="AWD-LSTM with a Fast Weight Memory on top (Schlag et al. 2021)")(
    nn.AWDFWM
)

register(
    "awd-txl",
    aliases=("awd-transformer-xl",),
    summary="Transformer-XL, regularised as AWD-LSTM is (Dai et al. 2019, Schlag et al. 2021)",
)(nn.AWDTransformerXL)

register("gru", summary="gated recurrent unit, torch.nn.GRU (Cho et al. 2014)")(nn.GRU)

register("gru-ln", summary="GRU with layer normalisation (Ba et al. 2016)")(nn.LayerNormGRU)

register(
    "associative-lstm",
    aliases=("a-lstm", "alstm"),
    summary="LSTM with a holographic memory in redundant copies (Danihelka et al. 2016)",
)(nn.AssociativeLSTM)

register(
    "convnet",
    aliases=("cnn",),
    summary="convolutions over the picture that glimpses put together; for the task glimpses alone",
)(nn.ConvNet)
