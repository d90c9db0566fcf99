"""States through `torch.save` and `torch.export.save`, and what is said of a tuple in the place of one."""

import io
from typing import NamedTuple

import pytest
import torch
from backbones import BACKBONES, HIDDEN, INPUT

from fastweights import nn
from fastweights import state as states
from fastweights.errors import UserError


def loaded(save, load, what):
    file = io.BytesIO()
    save(what, file)
    file.seek(0)
    return load(file)


def test_a_state_is_loaded_as_weights_are(backbone, x):
    state = backbone(x[:, :2] if not isinstance(backbone, nn.ConvNet) else x)[1]
    again = loaded(torch.save, torch.load, states.detach(state))
    assert type(again) is type(state)
    for one, other in zip(states.tensors(again), states.tensors(state), strict=True):
        assert torch.equal(one, other)


@pytest.mark.filterwarnings("ignore:The tensor attributes self.*_flat_weights")  # of torch.nn.LSTM
@pytest.mark.parametrize("name", ["fast-weights-reference", "deltanet", "stack"])
def test_a_program_that_takes_and_returns_a_state_is_saved(name):
    layer = BACKBONES[name](INPUT, HIDDEN).eval()
    x, state = torch.randn(2, 3, INPUT), layer.initial_state(2)
    program = loaded(
        torch.export.save, torch.export.load, torch.export.export(layer, (x, state))
    ).module()
    with torch.no_grad():
        (y, end), (expected, expected_end) = program(x, state), layer(x, state)
    assert type(end) is type(expected_end)
    torch.testing.assert_close(y, expected)


class OwnState(NamedTuple):
    sum: torch.Tensor


class Own(nn.ElmanRNN):
    state_type = OwnState


class Again(Own):
    """Another layer of the same state, which is registered once."""


def test_a_layer_of_ones_own_has_its_state_known():
    again = loaded(torch.save, torch.load, Again(2, 3).initial_state(1))
    assert type(again) is OwnState


def test_a_tuple_in_the_place_of_a_state_is_told_the_way():
    layer, x = nn.FastWeightRNN(4, 5), torch.randn(2, 3, 4)
    _, state = layer(x)
    plain = tuple(state)
    way = r"FastWeightState, which layer\.state_type\(\*state\) makes of its 2 tensors"
    with pytest.raises(UserError, match=way):
        layer(x, plain)
    assert torch.equal(layer(x, layer.state_type(*plain))[0], layer(x, state)[0])
