"""Layers whose parameters a tool has taken away: replicas of `nn.DataParallel`, and dynamic quantisation."""

import pytest
import torch
from backbones import BACKBONES, HIDDEN, INPUT
from torch import nn
from torch.ao.quantization import quantize_dynamic

from fastweights.nn.parts.reference import reference_tensor


def replica(module):
    """A copy as `nn.parallel.replicate` makes them: plain tensors as attributes, and no parameter."""
    copy = module._replicate_for_data_parallel()
    for name, parameter in module._parameters.items():
        setattr(copy, name, None if parameter is None else parameter.detach())
    for name, child in module._modules.items():
        copy._modules[name] = replica(child)
    return copy


def test_a_replica_gives_what_the_layer_gives(backbone, x):
    copy = replica(backbone)
    assert not list(copy.parameters())
    expected, state = backbone(x)
    torch.testing.assert_close(copy(x)[0], expected, atol=1e-12, rtol=0)
    assert copy(x, state)[0].dtype == torch.float64


@pytest.mark.parametrize("name", ["linear-attention-sum", "deltanet-plain", "elman", "gru-ln"])
@pytest.mark.usefixtures("unchecked")  # a quantised layer is no nn.Linear
@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_quantised_layers_run_whole_and_by_steps(name):
    layer = BACKBONES[name](INPUT, HIDDEN).eval()
    x = torch.randn(2, 4, INPUT)
    small = quantize_dynamic(layer, dtype=torch.qint8)
    y, _ = small(x)
    expected = layer(x)[0]
    assert (y - expected).norm() < 0.1 * expected.norm()
    state, steps = None, []
    for now in x.unbind(1):
        step, state = small.step(now, state)
        steps.append(step)
    assert (torch.stack(steps, 1) - expected).norm() < 0.1 * expected.norm()


def test_no_integer_stands_for_the_dtype():
    layer = nn.Linear(2, 3)
    layer.weight = nn.Parameter(torch.zeros(3, 2, dtype=torch.int8), requires_grad=False)
    assert reference_tensor(layer.half()) is layer.bias
