"""Backbones by name."""

import pytest
import torch

from fastweights import models, nn
from fastweights.errors import UserError
from fastweights.models import registry

NAMES = {
    "fast-weights": nn.FastWeightRNN,
    "fast-weights-flat": nn.FastWeightRNN,
    "fast-weights-two-paths": nn.TwoPathRNN,
    "fwm": nn.FWMLSTM,
    "awd-lstm": nn.AWDLSTM,
    "awd-fwm": nn.AWDFWM,
    "linear-attention": nn.LinearAttention,
    "deltanet": nn.DeltaNet,
    "gated-deltanet": nn.GatedDeltaNet,
    "gated-linear-attention": nn.GatedLinearAttention,
    "hgrn2": nn.HGRN2,
    "mlstm": nn.MLSTM,
    "kimi-delta-attention": nn.KimiDeltaAttention,
    "gated-deltanet-2": nn.GatedDeltaNet2,
    "gated-deltaproduct": nn.GatedDeltaProduct,
    "comba": nn.Comba,
    "rwkv-7": nn.RWKV7,
    "titans": nn.Titans,
    "recurrent-deltanet": nn.RecurrentDeltaNet,
    "srwm": nn.SelfReferentialWeightMatrix,
    "m2rnn": nn.M2RNN,
    "transformer-xl": nn.TransformerXL,
    "irnn": nn.IRNN,
    "rnn": nn.ElmanRNN,
    "rnn-ln": nn.LayerNormRNN,
    "lstm": nn.LSTM,
    "mnm": nn.MetalearnedNeuralMemory,
    "residual-lstm": nn.ResidualLSTM,
    "awd-txl": nn.AWDTransformerXL,
    "gru-ln": nn.LayerNormGRU,
    "associative-lstm": nn.AssociativeLSTM,
}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_builds_its_layer(name):
    backbone = models.build(name, 5, 6)
    assert type(backbone) is NAMES[name]
    assert backbone(torch.randn(2, 3, 5))[0].shape == (2, 3, backbone.output_size)


def test_the_names_are_these_at_least():
    assert set(NAMES) <= set(models.names())
    assert set(models.describe()) == set(models.names())
    assert all("\n" not in line and line for line in models.describe().values())


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("RNN-LN-FW", "fast-weights"),
        ("rnn-ln-fw", "fast-weights"),
        ("Rnn-Ln", "rnn-ln"),
        ("CONTROL", "rnn"),
        ("elman", "rnn"),
        ("GRU-LN", "gru-ln"),
        ("A-LSTM", "associative-lstm"),
        ("alstm", "associative-lstm"),
        ("LSTM", "lstm"),
        ("FWM", "fwm"),
        ("fwm-lstm", "fwm"),
        ("Delta-Net", "deltanet"),
        ("GDN", "gated-deltanet"),
        ("linear-transformer", "linear-attention"),
        ("GLA", "gated-linear-attention"),
        ("xLSTM", "mlstm"),
        ("KDA", "kimi-delta-attention"),
        ("GDN-2", "gated-deltanet-2"),
        ("DeltaProduct", "gated-deltaproduct"),
        ("RWKV7", "rwkv-7"),
        ("RDN", "recurrent-deltanet"),
        ("TXL", "transformer-xl"),
    ],
)
def test_aliases_in_any_case(alias, name):
    assert models.describe(alias).name == name
    assert type(models.build(alias, 4, 4)) is NAMES[name]


def test_flat_is_the_same_layer_with_other_defaults():
    flat = models.build("fast-weights-flat", 4, 5)
    assert isinstance(flat, nn.FastWeightRNN)
    assert (flat.form, flat.nonlinearity) == ("flat", "tanh")
    relu = models.build("fast-weights-flat", 4, 5, nonlinearity="relu", decay=0.5)
    assert isinstance(relu, nn.FastWeightRNN)
    assert (relu.form, relu.nonlinearity, relu.decay) == ("flat", "relu", 0.5)
    assert models.options("fast-weights-flat")["form"] == "flat"


def test_options_reach_the_layer():
    backbone = models.build("associative-lstm", 4, 6, copies=7)
    assert isinstance(backbone, nn.AssociativeLSTM) and backbone.copies == 7
    assert models.options("associative-lstm") == {
        "copies": 4,
        "forget_bias": 1.0,
        "num_layers": 1,
        "dropout": 0.0,
    }


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: models.build("fast-weigths", 3, 4), ("'fast-weigths'", "did you mean 'fast-weights'", "lstm")),
        (lambda: models.build("lstm", 3, 4, decay=0.9), ("decay", "lstm", "forget_bias")),
        (lambda: models.build("fast-weights", 3, 4, inner_step=2), ("did you mean 'inner_steps'", "decay")),
        (lambda: models.build("irnn", 3, 4, hiden=2), ("hiden", "recurrent_scale")),
        (lambda: models.build("lstm", -3, 4), ("input_size", "-3")),
        (lambda: models.build("rnn", 3, 4, nonlinearity="tanhh"), ("did you mean 'tanh'",)),
        (lambda: models.describe("gru-l"), ("'gru-l'", "gru-ln")),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("unchecked")
def test_slips(call, words):
    with pytest.raises(UserError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_registering_adds_a_name_and_a_taken_one_is_refused():
    @models.register("test-only", aliases=("test-alias",), summary="an example")
    def tiny(input_size, hidden_size, *, nonlinearity="tanh"):
        return nn.ElmanRNN(input_size, hidden_size, nonlinearity=nonlinearity)

    try:
        assert isinstance(models.build("TEST-alias", 3, 4, nonlinearity="relu"), nn.ElmanRNN)
        with pytest.raises(UserError, match="Test-Alias"):
            models.register("another", aliases=("Test-Alias",), summary="")
        assert "another" not in models.names()
    finally:
        registry.unregister("test-only")
    with pytest.raises(UserError):
        models.describe("test-alias")
