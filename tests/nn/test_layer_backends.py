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
