"""Layers in bfloat16 and float16: a sequence in pieces, or step by step, is as exact as it is whole."""

import copy

import pytest
import torch
from backbones import BACKBONES, HIDDEN, INPUT

from fastweights import nn
from fastweights import state as states

BATCH, TIME = 3, 9
HALVES = (torch.bfloat16, torch.float16)

halves = pytest.mark.parametrize("dtype", HALVES, ids=["bfloat16", "float16"])


def built(name, dtype):
    torch.manual_seed(0)
    layer = BACKBONES[name](INPUT, HIDDEN).to(dtype).eval()
    return layer, torch.randn(BATCH, TIME, layer.input_size).to(dtype)


def kinds(layer, state):
    """The types of each layer's state, those of copied inputs first."""
    parts = (
        zip(layer.layers, state, strict=True) if isinstance(layer, nn.Stack) else [(layer, state)]
    )
    copied, others = set(), set()
    for each, part in parts:
        for field, tensor in part._asdict().items():
            if field not in each.counters:
                (copied if field in each.copied else others).add(tensor.dtype)
    return copied, others


@halves
@pytest.mark.parametrize("name", BACKBONES)
def test_the_state_is_carried_as_a_whole_sequence_computes_it(name, dtype):
    layer, x = built(name, dtype)
    with torch.no_grad():
        y, end = layer(x)
        first, state = layer.step(x[:, 0])
        ends = (end, state, layer(x[:, 1:3], state)[1], layer.initial_state(BATCH))
        trace = layer.trace(x, state)
    assert y.dtype == first.dtype == trace.output.dtype == dtype
    for each in (*ends, trace.state):
        copied, others = kinds(layer, each)
        assert copied <= {dtype} and others <= {torch.float32}


@halves
@pytest.mark.parametrize("name", BACKBONES)
def test_a_state_of_the_layers_own_type_is_widened(name, dtype):
    layer, x = built(name, dtype)
    narrow = states.to(layer(x)[1], dtype)
    wide = states.map_tensors(
        lambda part: part.float() if part.is_floating_point() else part, narrow
    )
    fields = zip(states.tensors(layer.initial_state(BATCH)), states.tensors(wide), strict=True)
    parts = iter([part.to(like.dtype) for like, part in fields])
    wide = states.map_tensors(lambda _: next(parts), wide)
    with torch.no_grad():
        for run in (lambda state: layer(x, state), lambda state: layer.step(x[:, 0], state)):
            (y, _), (true, _) = run(narrow), run(wide)
            torch.testing.assert_close(y, true, rtol=0, atol=0)


@halves
@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.FWMLSTM(16, 16, 8),
        lambda: nn.LSTM(16, 16),
        lambda: nn.LSTM(16, 16, backend="reference"),
        lambda: nn.DeltaNet(16, 16, convolution=None),
        lambda: nn.FastWeightRNN(16, 16, form="flat", nonlinearity="tanh"),
    ],
    ids=["fwm", "lstm", "lstm-reference", "deltanet", "fast-weights-flat"],
)
def test_step_by_step_is_as_exact_as_whole(make, dtype):
    """A state rounded at each step has two to six times the error of the whole, over three starts."""
    whole, steps = 0.0, 0.0
    for seed in range(3):
        torch.manual_seed(seed)
        layer = make().to(dtype).eval()
        exact, x = copy.deepcopy(layer).double(), torch.randn(4, 120, 16).to(dtype)
        with torch.no_grad():
            true, step = exact(x.double())[0], layer.stepper(4, 120)
            found = torch.stack([step(x[:, t]) for t in range(120)], 1)
            whole += (layer(x)[0].double() - true).norm().item()
            steps += (found.double() - true).norm().item()
    assert steps < 1.6 * whole


def test_autocast_too_carries_a_cell_unrounded():
    torch.manual_seed(0)
    layer, x = nn.LSTM(16, 16).eval(), torch.randn(2, 8, 16)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        y, state = layer.step(x[:, 0])
    assert y.dtype == torch.bfloat16
    assert not torch.equal(state.cell, state.cell.bfloat16().float())
