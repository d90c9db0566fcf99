"""What all constructors take: a device, a dtype, several layers; starting anew; layers in `torch.nn.Sequential`."""

import inspect
import pickle

import pytest
import torch
from backbones import BACKBONES, HIDDEN, INPUT
from registered import NAMES, SMALL, small

from fastweights import models, nn
from fastweights import state as states
from fastweights.errors import UserError
from fastweights.nn.parts.construction import Construction

STACKED = [name for name in NAMES if "num_layers" in models.options(name)]
CLASSES = [each for each in vars(nn).values() if isinstance(each, Construction)]


@pytest.mark.parametrize("name", NAMES)
def test_a_device_and_a_dtype(name, unchecked):
    layer = models.build(name, 4, 6, device="meta", dtype=torch.float64, **SMALL.get(name, {}))
    tensors = [*layer.parameters()]
    assert {(each.device.type, each.dtype) for each in tensors} == {("meta", torch.float64)}


def test_what_is_no_dtype_of_parameters(unchecked):
    with pytest.raises(UserError, match=r"torch\.int64; accepted: a floating type"):
        nn.LSTM(4, 6, dtype=torch.int64)


@pytest.mark.parametrize("name", STACKED)
def test_layers_are_a_stack_of_the_same(name):
    """Each layer has the others' options and the output before it as input, and the whole is their composition."""
    torch.manual_seed(0)
    option = {"backend": "reference"} if "backend" in models.options(name) else {}
    size = {"memory_size": 3} if "memory_size" in models.options(name) else {}
    layers = models.build(name, 4, 6, num_layers=3, dropout=0.4, **option, **size).eval()
    assert isinstance(layers, nn.Stack) and layers.num_layers == 3 and layers.dropout.rate == 0.4
    one = type(models.build(name, 4, 6, **size))
    assert [type(layer) for layer in layers.layers] == [one] * 3
    x = torch.randn(2, 5, 4)
    y, state = layers(x)
    below = x
    for layer, part in zip(layers.layers, state, strict=True):
        assert not option or getattr(layer, "backend", option["backend"]) == option["backend"]
        below, own = layer(below)
        torch.testing.assert_close(states.tensors(part), states.tensors(own))
    torch.testing.assert_close(y, below)


def test_the_first_size_may_be_named():
    layers = nn.LSTM(hidden_size=6, input_size=4, num_layers=2)
    assert [layer.input_size for layer in layers.layers] == [4, 6]


def test_dropout_between_the_layers_alone():
    torch.manual_seed(0)
    layers = nn.GRU(4, 6, num_layers=2, dropout=0.9).train()
    x = torch.randn(3, 5, 4)
    assert not torch.equal(layers(x)[0], layers(x)[0])
    with pytest.warns(UserWarning, match="of which there is one"):
        layer = nn.GRU(4, 6, dropout=0.9)
    assert torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_layers": 0}, "num_layers is 0"),
        ({"num_layers": 2.0}, "num_layers is 2.0"),
        ({"num_layers": 2, "dropout": 1.5}, "dropout is 1.5"),
    ],
)
def test_slips(options, words, unchecked):
    with pytest.raises(UserError, match=words):
        nn.FastWeightRNN(4, 6, **options)


@pytest.mark.parametrize("layer", CLASSES, ids=lambda each: each.__name__)
def test_signatures_show_every_option_with_its_default(layer):
    parameters = inspect.signature(layer).parameters
    kinds = {each.kind for each in parameters.values()}
    assert layer is nn.Backbone or inspect.Parameter.VAR_KEYWORD not in kinds
    if layer is not nn.Backbone:
        assert parameters["device"].default is None and parameters["dtype"].default is None
    if "num_layers" in parameters:
        assert parameters["num_layers"].default == 1 and parameters["dropout"].default == 0.0


@pytest.mark.parametrize("name", [name for name in BACKBONES if not name.startswith("awd-fwm")])
def test_starting_anew_is_building_anew(name):
    """But for `AWDFWM`, whose last layer is drawn first when it is built."""
    torch.manual_seed(7)
    built = BACKBONES[name](INPUT, HIDDEN)
    again = BACKBONES[name](INPUT, HIDDEN).double()
    again = pickle.loads(pickle.dumps(again))
    torch.manual_seed(7)
    again.reset_parameters()
    for key, tensor in built.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key].to(tensor.dtype)), key
        assert not tensor.is_floating_point() or again.state_dict()[key].dtype == torch.float64


def test_what_a_tool_has_changed_does_not_start_anew():
    layer = nn.FastWeightRNN(4, 6)
    torch.nn.utils.parametrizations.weight_norm(layer.recurrent)
    with pytest.raises(UserError, match="was not built with its"):
        layer.reset_parameters()


@pytest.mark.parametrize("name", ["fast-weights", "stack", "mnm", "transformer-xl"])
def test_states_have_methods(name):
    torch.manual_seed(0)
    layer, x = BACKBONES[name](INPUT, HIDDEN), torch.randn(2, 3, INPUT)
    _, state = layer(x)
    cut = state.detach()
    assert type(cut) is type(state)
    pairs = list(zip(states.tensors(cut), states.tensors(state), strict=True))
    assert any(each.requires_grad for _, each in pairs)
    assert all(torch.equal(one, other) and not one.requires_grad for one, other in pairs)
    wide = states.tensors(state.to(torch.float64))
    assert {each.dtype for each in wide if each.is_floating_point()} == {torch.float64}
    layer(x, cut)


@pytest.mark.parametrize("name", ["fast-weights", "lstm", "deltanet", "transformer-xl"])
def test_masks_of_integers(name):
    layer = small(name)
    x, mask = torch.randn(2, 5, 4), torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]])
    for kind in (torch.int64, torch.uint8):
        for one, other in zip(
            states.tensors(layer(x, mask=mask.to(kind))),
            states.tensors(layer(x, mask=mask.bool())),
            strict=True,
        ):
            assert torch.equal(one, other)


def test_a_model_takes_masks_of_integers():
    config = models.model_config("fwm", input=9, hidden=6, classes=9, embedding=4)
    model = models.from_config(config).eval()
    tokens, mask = torch.randint(9, (2, 5)), torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]])
    expected, _ = model(tokens, mask=mask.bool(), last_only=True)
    assert torch.equal(model(tokens, mask=mask, last_only=True)[0], expected)
    chosen, _ = model(tokens, at=mask.bool())
    assert torch.equal(model(tokens, at=mask)[0], chosen)


def test_in_a_sequential():
    layer = nn.FastWeightRNN(4, 6)
    model = torch.nn.Sequential(nn.Output(layer), torch.nn.Linear(6, 2))
    x, mask = torch.randn(2, 5, 4), torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]])
    torch.testing.assert_close(model(x), model[1](layer(x)[0]))
    torch.testing.assert_close(model[0](x, mask=mask), layer(x, mask=mask)[0])
    assert nn.Output(torch.nn.LSTM(4, 6))(x).shape == (2, 5, 6)


@pytest.mark.parametrize("name", ["fast-weights", "fast-weights-two-paths", "rnn-ln"])
def test_dense_inputs_drive_as_much_as_one_of_one_hot(name):
    """By default the input's share of a unit has variance 1, whatever the number of features of dense x."""
    for features in (4, 256):
        torch.manual_seed(0)
        layer = models.build(name, features, 4096)
        drive = layer.input(torch.randn(64, features)).detach()
        assert drive.std() == pytest.approx(1, rel=0.15)
        assert models.build(name, features, 64, input_std=0.0).input.weight.count_nonzero() == 0
