"""What a layer or encoder keeps beside its parameters is there wherever and however it was made."""

import copy

import pytest
import torch
from backbones import BACKBONES, HIDDEN, INPUT

from fastweights import models

EXAMPLES = {"convnet": {"cells": (None, 2, 0, None, 1, None, 3), "patch": 2}}


@pytest.fixture
def spoiled(monkeypatch):
    """Fresh memory holds what no one would take for a constant."""
    empty_like = torch.empty_like
    monkeypatch.setattr(torch, "empty_like", lambda *a, **k: empty_like(*a, **k).fill_(77))


@pytest.mark.parametrize("name", BACKBONES)
def test_layers_made_without_memory(name, spoiled):
    torch.manual_seed(0)
    made = BACKBONES[name](INPUT, HIDDEN).eval()
    with torch.device("meta"):
        bare = BACKBONES[name](INPUT, HIDDEN).eval()
    x = torch.randn(3, 9, INPUT)
    bare.to_empty(device="cpu").load_state_dict(made.state_dict())
    torch.testing.assert_close(bare(x), made(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", models.names())
def test_models_made_without_memory(name, spoiled):
    options = EXAMPLES.get(name, {})
    config = models.model_config(name, input=7, hidden=6, classes=4, options=options)
    made = models.from_config(config).eval()
    with torch.device("meta"):
        bare = models.from_config(config).eval()
    tokens = torch.arange(14).view(2, 7) % 7
    bare.to_empty(device="cpu").load_state_dict(made.state_dict())
    torch.testing.assert_close(bare(tokens)[0], made(tokens)[0], rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "convnet"])
def test_layers_run_on_meta(name):
    """What runs there has shapes alone (but a picture's: which steps are read decides how many there are)."""
    layer, x = BACKBONES[name](INPUT, HIDDEN).to("meta"), torch.empty(3, 4, INPUT, device="meta")
    y, state = layer(x, layer(x)[1])
    assert y.is_meta and y.shape == (3, 4, layer.output_size)
    assert layer.step(x[:, 0], state)[0].shape == (3, layer.output_size)


def mixed(module):
    """Return a module's parameters and buffers that are on meta."""
    return [
        name
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
        if tensor.is_meta
    ]


@pytest.mark.parametrize("name", BACKBONES)
def test_layers_made_without_memory_and_given_weights(name):
    made = BACKBONES[name](INPUT, HIDDEN).eval()
    with torch.device("meta"):
        bare = BACKBONES[name](INPUT, HIDDEN).eval()
        assert repr(bare)
    bare.load_state_dict(made.state_dict(), assign=True)
    assert not mixed(bare)
    x = torch.randn(3, 9, INPUT)
    torch.testing.assert_close(bare(x), made(x), rtol=0, atol=0)
    torch.testing.assert_close(bare.step(x[:, 0]), made.step(x[:, 0]), rtol=0, atol=0)


@pytest.mark.parametrize("name", models.names())
def test_models_made_without_memory_and_given_weights(name):
    config = models.model_config(name, input=7, hidden=6, classes=4, options=EXAMPLES.get(name, {}))
    made = models.from_config(config).eval()
    with torch.device("meta"):
        bare = models.from_config(config).eval()
    bare.load_state_dict(made.state_dict(), assign=True)
    tokens = torch.arange(14).view(2, 7) % 7
    torch.testing.assert_close(bare(tokens)[0], made(tokens)[0], rtol=0, atol=0)
    assert not mixed(bare)


def test_constants_go_where_the_module_goes():
    encoder = models.OneHot(3)
    assert copy.deepcopy(encoder).half()(torch.tensor([2])).dtype == torch.float16
    assert encoder.to("meta").identity.is_meta and encoder.double().identity.dtype == torch.float64
    lstm = BACKBONES["lstm-reference"](INPUT, HIDDEN)
    assert lstm.double().rnn.bias_hh_l0.dtype == torch.float64
    assert lstm.rnn.bias_hh_l0 is lstm.rnn._flat_weights[3]
