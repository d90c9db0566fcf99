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
    "two-paths": partial(nn.TwoPathRNN, alpha=0.05),
    "two-paths-joint": partial(
        nn.TwoPathRNN, paths="joint", layer_norm=False, input_std=0.3, rate=0.01
    ),
    "irnn": partial(nn.IRNN, input_std=0.5),
    "elman": nn.ElmanRNN,
    "elman-tanh": partial(nn.ElmanRNN, nonlinearity="tanh"),
    "rnn-ln": nn.LayerNormRNN,
    "rnn-ln-tanh": partial(nn.LayerNormRNN, nonlinearity="tanh"),
    "lstm": partial(nn.LSTM, forget_bias=1.0),
    "lstm-torch": partial(nn.LSTM, backend="torch"),
    "lstm-reference": partial(nn.LSTM, single_bias=True, backend="reference"),
    "lstm-dropout": partial(nn.LSTM, recurrent_dropout=0.5),
    "residual-lstm": partial(nn.ResidualLSTM, layers=3),
    "residual-lstm-dropout": partial(
        nn.ResidualLSTM, layers=2, recurrent_dropout=0.3, hidden_dropout=0.3, backend="torch"
    ),
    "awd-lstm": nn.AWDLSTM,
    "awd-lstm-torch": partial(nn.AWDLSTM, layers=1, output_size=4, backend="torch"),
    "awd-fwm": partial(nn.AWDFWM, memory_size=4),
    "awd-fwm-two-layers": partial(nn.AWDFWM, layers=2, output_size=3, memory_size=3, reads=1),
    "awd-txl": partial(nn.AWDTransformerXL, layers=2, heads=2, inner_size=5, memory_length=4),
    "gru": nn.GRU,
    "causal-convolution": lambda i, h: nn.Stack([nn.CausalConvolution(i, 3), nn.GRU(i, h)]),
    "gru-ln": nn.LayerNormGRU,
    "associative-lstm": partial(nn.AssociativeLSTM, copies=3),
    "fwm": partial(nn.FWMLSTM, memory_size=4),
    "fwm-residual": partial(nn.FWMLSTM, memory_size=3, reads=2, residual=True),
    "fwm-paper": partial(nn.FWMLSTM, memory_size=3, variant="paper"),
    "fwm-language-model": partial(nn.FWMLSTM, memory_size=4, key_size=2, variant="language_model"),
    "fwm-meta-rl": partial(nn.FWMLSTM, memory_size=3, reads=1, key_size=5, variant="meta_rl"),
    "fwm-concat": partial(nn.FWMLSTM, memory_size=4, reads=2, key_size=3, combine="concat"),
    "memory": lambda i, h: nn.FastWeightMemory(i, h, key_size=3, reads=2),
    "memory-concat": lambda i, h: nn.FastWeightMemory(i, h, variant="paper", combine="concat"),
    "memory-convolution": lambda i, h: nn.FastWeightMemory(i, h, reads=1, convolution=3),
    "mnm": partial(nn.MetalearnedNeuralMemory, memory_size=4, heads=2),
    "mnm-two-layers": partial(nn.MetalearnedNeuralMemory, memory_size=5, heads=1, memory_layers=2),
    "linear-attention": partial(nn.LinearAttention, heads=2, key_size=4),
    "linear-attention-sum": partial(nn.LinearAttention, normaliser=False),
    "deltanet": partial(nn.DeltaNet, heads=2, value_size=4),
    "deltanet-plain": partial(nn.DeltaNet, convolution=None),
    "gated-deltanet": partial(nn.GatedDeltaNet, heads=2, convolution=3),
    "deltanet-negative": partial(nn.DeltaNet, heads=2, key_heads=1, negative_eigenvalues=True),
    "gated-deltanet-grouped": partial(
        nn.GatedDeltaNet, heads=4, key_heads=2, key_size=3, negative_eigenvalues=True
    ),
    "kimi-delta-attention": partial(nn.KimiDeltaAttention, heads=2),
    "kimi-delta-attention-grouped": partial(
        nn.KimiDeltaAttention, heads=2, key_heads=1, value_size=4, convolution=None
    ),
    "gated-deltanet-2": partial(nn.GatedDeltaNet2, heads=2, negative_eigenvalues=True),
    "gated-deltaproduct": partial(nn.GatedDeltaProduct, heads=2),
    "gated-deltaproduct-3": partial(nn.GatedDeltaProduct, writes=3, heads=2, key_heads=1),
    "comba": partial(nn.Comba, heads=2, convolution=2),
    "gated-linear-attention": partial(nn.GatedLinearAttention, heads=2),
    "hgrn2": partial(nn.HGRN2, heads=2, lower_bound=0.2),
    "mlstm": partial(nn.MLSTM, heads=2, key_size=4),
    "rwkv-7": partial(nn.RWKV7, heads=2, rank=4),
    "titans": partial(nn.Titans, heads=2, key_size=4),
    "recurrent-deltanet": partial(nn.RecurrentDeltaNet, heads=2, key_size=4),
    "srwm": partial(nn.SelfReferentialWeightMatrix, heads=2),
    "m2rnn": partial(nn.M2RNN, heads=2, key_size=4),
    "transformer-xl": partial(
        nn.TransformerXL, layers=2, heads=2, inner_size=7, memory_length=4, weight_std=0.4
    ),
    "transformer-xl-pre-norm": partial(
        nn.TransformerXL, layers=2, heads=3, memory_length=20, pre_norm=True, weight_std=0.4
    ),
    "convnet": partial(nn.ConvNet, cells=(None, 2, 0, None, 1, None, None, None, 3), patch=2),
    "fast-weights-layers": partial(nn.FastWeightRNN, num_layers=2, dropout=0.2),
    "fwm-layers": partial(nn.FWMLSTM, memory_size=3, num_layers=2),
    "stack": lambda i, h: nn.Stack([nn.FastWeightRNN(i, 7), nn.LSTM(7, 4), nn.LayerNormGRU(4, h)]),
    "stack-residual": lambda i, h: nn.Stack(
        [nn.LSTM(i, h), nn.LayerNormGRU(h, h), nn.FWMLSTM(h, h, 3)], residual=True, dropout=0.2
    ),
    "stack-memories": lambda i, h: nn.Stack([nn.FWMLSTM(i, 7, 3), nn.GatedDeltaNet(7, h)]),
    "stack-attention": lambda i, h: nn.Stack(
        [nn.TransformerXL(i, h, memory_length=3, weight_std=0.4), nn.LSTM(h, h)]
    ),
}
