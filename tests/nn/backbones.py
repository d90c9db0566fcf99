"""Every backbone the property tests run over: a name, and what builds it."""

from functools import partial

from fastweights import nn

INPUT, HIDDEN = 5, 6

BACKBONES = {
    "fast-weights": partial(nn.FastWeightRNN, decay=0.9, rate=0.3),
    "fast-weights-2-steps": partial(nn.FastWeightRNN, inner_steps=2, nonlinearity="tanh"),
    "fast-weights-preliminary": partial(
        nn.FastWeightRNN, preliminary_norm=True, learn_decay=True, learn_rate=True
    ),
    "fast-weights-no-norm": partial(nn.FastWeightRNN, layer_norm=False, rate=0.01, input_std=0.3),
    "fast-weights-flat": partial(nn.FastWeightRNN, form="flat", nonlinearity="tanh"),
    "fast-weights-reference": partial(nn.FastWeightRNN, backend="reference"),
    "fast-weights-chunked": partial(nn.FastWeightRNN, backend="chunked"),
    "irnn": partial(nn.IRNN, input_std=0.5),
    "elman": nn.ElmanRNN,
    "elman-tanh": partial(nn.ElmanRNN, nonlinearity="tanh"),
    "rnn-ln": nn.LayerNormRNN,
    "rnn-ln-tanh": partial(nn.LayerNormRNN, nonlinearity="tanh"),
    "lstm": partial(nn.LSTM, forget_bias=1.0),
    "gru-ln": nn.LayerNormGRU,
    "associative-lstm": partial(nn.AssociativeLSTM, copies=3),
    "stack": lambda i, h: nn.Stack([nn.FastWeightRNN(i, 7), nn.LSTM(7, 4), nn.LayerNormGRU(4, h)]),
}
