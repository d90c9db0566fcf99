"""A layer's ops run in the backend that the layer was asked for."""

from functools import partial

import pytest
import torch

from fastweights import nn
from fastweights.ops import dispatch

LAYERS = {
    "fast-weights": nn.FastWeightRNN,
    "lstm": nn.LSTM,
    "fwm": partial(nn.FWMLSTM, memory_size=3),
    "memory": partial(nn.FastWeightMemory, key_size=3),
    "linear-attention": nn.LinearAttention,
    "deltanet": nn.DeltaNet,
    "gated-deltanet": nn.GatedDeltaNet,
    "gated-deltaproduct": nn.GatedDeltaProduct,
    "mlstm": nn.MLSTM,
    "rwkv-7": nn.RWKV7,
}


@pytest.mark.parametrize("name", LAYERS)
def test_what_a_layer_is_asked_for_it_asks_its_ops_for(name, monkeypatch):
    layer, asked, resolve = LAYERS[name](4, 6, backend="reference"), [], dispatch.Op.resolve

    def noted(op, requested, tensor, **facts):
        asked.append(requested)
        return resolve(op, requested, tensor, **facts)

    monkeypatch.setattr(dispatch.Op, "resolve", noted)
    _, state = layer(torch.randn(2, 3, 4))
    layer(torch.randn(2, 1, 4), state)
    assert set(asked) == {"reference"}


@pytest.mark.parametrize("rows, taken", [(7, "cpu"), (8, "torch"), (20, "torch")])
def test_what_auto_takes_for_an_lstm_goes_by_the_rows(rows, taken):
    """To the bit what that backend gives; on padded rows and in float64 the kernels run whatever the rows."""
    if dispatch.unavailable("lstm", "cpu") is not None:
        pytest.skip("there are no kernels")
    layers = {name: nn.LSTM(4, 6, backend=name) for name in ("auto", "cpu", "torch")}
    for layer in layers.values():
        layer.load_state_dict(layers["auto"].state_dict())
    x, mask = torch.randn(rows, 9, 4), torch.ones(rows, 9, dtype=torch.bool)
    mask[0, 5:] = False
    found = {name: layer(x)[0] for name, layer in layers.items()}
    assert torch.equal(found["auto"], found[taken])
    torch.testing.assert_close(found["cpu"], found["torch"])
    assert torch.equal(layers["auto"](x, mask=mask)[0], layers["cpu"](x, mask=mask)[0])
    wide = {name: layer.double()(x.double())[0] for name, layer in layers.items()}
    assert torch.equal(wide["auto"], wide["cpu"])
