"""The backbones that come with the library, by the names that papers and documents use."""

from __future__ import annotations

from fastweights.models.registry import register
from fastweights.nn import (
    IRNN,
    LSTM,
    AssociativeLSTM,
    ElmanRNN,
    FastWeightRNN,
    LayerNormGRU,
    LayerNormRNN,
)

register(
    "fast-weights",
    aliases=("rnn-ln-fw", "fwrnn"),
    summary="RNN with Hebbian fast weights, read within the step (Ba et al. 2016)",
)(FastWeightRNN)

register(
    "fast-weights-flat",
    summary="fast weights read through the one nonlinearity of a step, tanh",
    defaults={"form": "flat", "nonlinearity": "tanh"},
)(FastWeightRNN)

register("irnn", summary="ReLU RNN that starts as the identity (Le et al. 2015)")(IRNN)

register("rnn", aliases=("control", "elman"), summary="plain RNN, the control (Elman 1990)")(
    ElmanRNN
)

register("rnn-ln", summary="RNN with layer normalisation, without fast weights")(LayerNormRNN)

register("lstm", summary="long short-term memory, torch.nn.LSTM")(LSTM)

register("gru-ln", summary="GRU with layer normalisation (Ba et al. 2016)")(LayerNormGRU)

register(
    "associative-lstm",
    aliases=("a-lstm", "alstm"),
    summary="LSTM with a holographic memory in redundant copies (Danihelka et al. 2016)",
)(AssociativeLSTM)
