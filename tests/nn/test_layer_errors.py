"""A user's slip is one clear line that says what was given and what is accepted."""

import pytest
import torch
from backbones import BACKBONES, HIDDEN, INPUT

from fastweights import nn
from fastweights import state as states
from fastweights.errors import UserError

pytestmark = pytest.mark.usefixtures("unchecked")


def refused(call, *words):
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message, message


def test_input(backbone, x):
    refused(lambda: backbone(x[:, :, :4]), "4", "5")
    refused(lambda: backbone(x[:, :0]), "[3, 0, 5]")
    refused(lambda: backbone(x[None]), "[1, 3, 9, 5]", "batch, time")
    refused(lambda: backbone(x.float()), "float32", "float64")
    refused(lambda: backbone.step(x), "[3, 9, 5]", "batch, 5")
    refused(lambda: backbone(x.to("meta")), "meta", "cpu")
    if not backbone.takes_classes:
        refused(lambda: backbone(x.long()), "int64", "float64")


def test_what_else_torch_nn_takes(backbone, x):
    """A packed sequence above all, and what a newcomer tries: no tensor, so no `AttributeError` either."""
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, [9, 9, 9], batch_first=True)
    refused(lambda: backbone(packed), "PackedSequence", "pad_packed_sequence", "mask=")
    for given in (packed, x.tolist(), x.numpy(), None):
        kind = type(given).__name__
        for call in (backbone, backbone.trace, backbone.step, backbone.stepper(3, 9)):
            refused(lambda call=call, given=given: call(given), f"input is a {kind}", "tensor")
    for mask in ([[True] * 9] * 3, x.numpy() > 0):
        refused(
            lambda mask=mask: backbone(x, mask=mask), f"mask is a {type(mask).__name__}", "tensor"
        )
        refused(lambda mask=mask: backbone(x[0], mask=mask), f"mask is a {type(mask).__name__}")


def test_embedded(backbone, x):
    tokens = torch.tensor([[0, 1], [2, 0]])
    refused(lambda: backbone(nn.Embedded(tokens, torch.zeros(3, 4).double())), "4", "5")
    refused(lambda: backbone(nn.Embedded(tokens, torch.zeros(3, INPUT))), "float32", "float64")
    table = torch.zeros(3, INPUT).double()
    refused(lambda: backbone(nn.Embedded(tokens + 1, table)), "class 3 ", "0 to 2")
    refused(lambda: backbone(nn.Embedded(tokens - 1, table)), "class -1 ", "0 to 2")
    refused(lambda: backbone(nn.Embedded(tokens.short(), table)), "int16", "int64")
    refused(lambda: backbone(nn.Embedded(tokens[:, :0], torch.zeros(3, INPUT))), "[2, 0, 5]")


def test_classes(backbone):
    tokens = torch.tensor([[0, 4, 2], [1, 3, 4]])
    if not backbone.takes_classes:
        refused(lambda: backbone(tokens), "[2, 3]")
        return
    torch.testing.assert_close(backbone(tokens.int())[0], backbone(tokens)[0], rtol=0, atol=0)
    refused(lambda: backbone(tokens.short()), "int16", "int64", "int32")
    refused(lambda: backbone(tokens == 0), "bool", "int64")
    for wrong in (-1, 5, 99):
        spoiled = tokens.masked_fill(tokens == 3, wrong)
        refused(lambda x=spoiled: backbone(x), f"class {wrong} ", "0 to 4")
        refused(lambda x=spoiled: backbone.step(x[:, 1]), f"class {wrong} ", "0 to 4")
        refused(lambda x=spoiled: backbone.stepper(2, 3)(x[:, 1]), f"class {wrong} ", "0 to 4")


def test_autocast_narrows_no_float64(backbone, x):
    with torch.autocast("cpu", torch.bfloat16):
        refused(lambda: backbone(x.float()), "float32", "float64")
        backbone.float()
        refused(lambda: backbone(x), "float64", "float32")


def test_stepper(backbone, x):
    with torch.inference_mode():
        step = backbone.stepper(3, 2)
        refused(lambda: step(x[:2, 0]), "[2, 5]", "3 rows")
        for t in range(2):
            step(x[:, t])
        refused(lambda: step(x[:, 2]), "2 steps")


def test_mask(backbone, x):
    inside = torch.ones(3, 9, dtype=torch.bool)
    inside[1, 4] = False
    refused(lambda: backbone(x, mask=inside), "1", "padding")
    refused(lambda: backbone(x, mask=inside[:, :8]), "[3, 8]", "[3, 9]")
    refused(lambda: backbone(x, mask=inside.double()), "float64", "bool", "integers 1 and 0")


def test_state(backbone, x):
    state = backbone.initial_state(3)
    refused(lambda: backbone(x, backbone.initial_state(2)), "[2, ", "[3, ")
    refused(lambda: backbone(x, states.to(state, torch.float32)), "float32", "float64")
    refused(lambda: backbone.step(x[:, 0], states.to(state, device="meta")), "meta", "cpu")
    refused(lambda: backbone.trace(x, torch.zeros(3, HIDDEN)), "Tensor")


@pytest.mark.parametrize("name", BACKBONES)
def test_state_of_another_layer(name, x):
    backbone = BACKBONES[name](INPUT, HIDDEN).double()
    for other in ("fast-weights", "lstm", "gru-ln", "associative-lstm", "stack"):
        state = BACKBONES[other](INPUT, HIDDEN).double().initial_state(3)
        if type(state) is not type(backbone.initial_state(3)):
            refused(lambda state=state: backbone(x, state), type(state).__name__)


def test_trace_steps(backbone, x):
    refused(lambda: backbone.trace(x, memory_steps=[9]), "9", "0 to 8")
    refused(lambda: backbone.trace(x, memory_steps=[-1]), "-1")


@pytest.mark.parametrize("name", [n for n in BACKBONES if not n.startswith(("stack", "memory"))])
@pytest.mark.parametrize("size", [0, -3, 2.0, True])
def test_sizes(name, size):
    refused(lambda: BACKBONES[name](size, HIDDEN), "input_size", size)
    refused(lambda: BACKBONES[name](INPUT, size), "hidden_size", size)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"decay": "a lot"}, ("decay", "a lot", "0 to 1")),
        ({"input_std": -1.0}, ("input_std", "-1")),
        ({"norm_gain": float("nan")}, ("norm_gain", "nan")),
        ({"decay": 1.01}, ("decay", "1.01", "0 to 1")),
        ({"decay": float("nan")}, ("decay", "nan")),
        ({"rate": -0.1}, ("rate", "-0.1")),
        ({"rate": float("inf")}, ("rate", "inf")),
        ({"inner_steps": 0}, ("inner_steps", "0")),
        ({"nonlinearity": "rellu"}, ("rellu", "'relu'", "tanh")),
        ({"form": "outer"}, ("outer", "flat", "inner")),
        ({"backend": "cpus"}, ("cpus", "'cpu'", "reference")),
        ({"form": "flat", "inner_steps": 2}, ("flat", "inner steps")),
        ({"form": "flat", "preliminary_norm": True}, ("flat", "preliminary")),
    ],
)
def test_fast_weight_options(options, words):
    refused(lambda: nn.FastWeightRNN(INPUT, HIDDEN, **options), *words)


def test_other_options():
    refused(lambda: nn.ElmanRNN(2, 3, nonlinearity="gelu"), "gelu", "relu, tanh")
    refused(lambda: nn.LayerNormRNN(2, 3, nonlinearity="tanhh"), "tanhh", "'tanh'")
    refused(lambda: nn.TwoPathRNN(2, 3, paths="both"), "both", "joint, separate")
    refused(lambda: nn.TwoPathRNN(2, 3, read_gradient=-1.0), "read_gradient", "-1")
    refused(lambda: nn.AssociativeLSTM(2, 5), "5", "even")
    refused(lambda: nn.AssociativeLSTM(2, 4, copies=0), "copies", "0")
    refused(lambda: nn.Stack([]), "one or more")
    refused(lambda: nn.Stack([nn.LSTM(2, 3), nn.LSTM(4, 3)]), "3", "4")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nn.FastWeightMemory(5, 0), ("memory_size", "0")),
        (lambda: nn.FastWeightMemory(5, reads=0), ("reads", "0")),
        (lambda: nn.FastWeightMemory(5, key_size=-1), ("key_size", "-1")),
        (lambda: nn.FWMLSTM(5, 6, variant="catbab"), ("catbab", "'catbabi'", "meta_rl")),
        (lambda: nn.FWMLSTM(5, 6, combine="concatenate"), ("concatenate", "'concat'", "product")),
        (lambda: nn.FWMLSTM(5, 6, backend="cpus"), ("cpus", "'cpu'")),
        (lambda: nn.LSTM(5, 6, recurrent_dropout=1.5), ("recurrent_dropout", "1.5", "0 to 1")),
        (lambda: nn.ResidualLSTM(5, 6, layers=0), ("layers", "0")),
        (lambda: nn.ResidualLSTM(5, 6, hidden_dropout=-0.1), ("dropout", "-0.1", "0 to 1")),
        (lambda: nn.AWDLSTM(5, 6, 0), ("layers", "0")),
        (lambda: nn.AWDLSTM(5, 6, output_size=0), ("output_size", "0")),
        (lambda: nn.AWDFWM(5, 6, 0), ("layers", "0")),
        (lambda: nn.AWDFWM(5, 6, variant="language"), ("language", "'language_model'")),
        (lambda: nn.AWDFWM(5, 6, recurrent_dropout=1.1), ("recurrent_dropout", "1.1", "0 to 1")),
        (lambda: nn.OutputRegulariser(-0.1), ("dropout", "-0.1", "0 to 1")),
        (lambda: nn.OutputRegulariser(activation=-1), ("activation", "-1")),
        (lambda: nn.OutputRegulariser(slowness=float("nan")), ("slowness", "nan")),
        (lambda: nn.MetalearnedNeuralMemory(5, 6, heads=0), ("heads", "0")),
        (lambda: nn.MetalearnedNeuralMemory(5, 6, 0), ("memory_size", "0")),
        (lambda: nn.MetalearnedNeuralMemory(5, 6, memory_layers=0), ("memory_layers", "0")),
        (lambda: nn.VariationalDropout(2.0), ("rate", "2.0", "0 to 1")),
        (lambda: nn.Stack([nn.LSTM(5, 6), nn.LSTM(6, 7)], residual=True), ("LSTM", "6", "7")),
        (lambda: nn.LSTM(5, 6, backend="torh"), ("torh", "'torch'")),
        (lambda: nn.LinearAttention(5, 6, heads=4), ("6", "4 heads", "multiple")),
        (lambda: nn.LinearAttention(5, 6, heads=0), ("heads", "0")),
        (lambda: nn.LinearAttention(5, 6, key_size=0), ("key_size", "0")),
        (lambda: nn.DeltaNet(5, 6, heads=5), ("6", "5 heads")),
        (lambda: nn.DeltaNet(5, 6, convolution=0), ("convolution", "0")),
        (lambda: nn.GatedDeltaNet(5, 6, value_size=0), ("value_size", "0")),
        (lambda: nn.GatedDeltaNet(5, 6, backend="gpu"), ("gpu", "cpu")),
        (lambda: nn.GatedDeltaNet(5, 6, heads=2, key_heads=0), ("key_heads", "0")),
        (lambda: nn.KimiDeltaAttention(5, 6, heads=4), ("6", "4 heads", "multiple")),
        (lambda: nn.KimiDeltaAttention(5, 6, heads=3, key_heads=2), ("3", "2 key heads")),
        (lambda: nn.GatedDeltaProduct(5, 6, writes=0), ("writes", "0")),
        (lambda: nn.GatedLinearAttention(5, 6, heads=4), ("6", "4 heads", "multiple")),
        (lambda: nn.HGRN2(5, 6, lower_bound=1.5), ("lower_bound", "1.5", "0 to 1")),
        (lambda: nn.MLSTM(5, 6, key_size=0), ("key_size", "0")),
        (lambda: nn.RWKV7(5, 6, rank=0), ("rank", "0")),
        (lambda: nn.RWKV7(5, 6, heads=4), ("6", "4 heads", "multiple")),
        (lambda: nn.Titans(5, 6, heads=4), ("6", "4 heads", "multiple")),
        (lambda: nn.RecurrentDeltaNet(5, 6, key_size=0), ("key_size", "0")),
        (lambda: nn.SelfReferentialWeightMatrix(5, 6, heads=0), ("heads", "0")),
        (lambda: nn.M2RNN(5, 6, key_size=-1), ("key_size", "-1")),
        (lambda: nn.TransformerXL(5, 6, heads=4), ("6", "4 heads", "multiple")),
        (lambda: nn.TransformerXL(5, 6, heads=0), ("heads", "0")),
        (lambda: nn.TransformerXL(5, 6, layers=0), ("layers", "0")),
        (lambda: nn.TransformerXL(5, 6, inner_size=0), ("inner_size", "0")),
        (lambda: nn.TransformerXL(5, 6, memory_length=-1), ("memory_length", "-1")),
        (lambda: nn.TransformerXL(5, 6, dropout=1.5), ("dropout", "1.5", "0 to 1")),
        (lambda: nn.TransformerXL(5, 6, attention_dropout=-1), ("attention_dropout", "-1")),
        (lambda: nn.TransformerXL(5, 6, window="segments"), ("segments", "'segment'")),
    ],
)
def test_memory_options(call, words):
    refused(call, *words)
