"""What torch does to a module from outside: it is traced, its weights are replaced, its calls transformed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import fastweights
from fastweights import state as states
from fastweights.errors import UserError
from fastweights.nn import LSTM, Stack

LAYERS = {
    "lstm": lambda: LSTM(8, 8),
    "memory": lambda: fastweights.FastWeightMemory(8, 4),
    "fast-weights": lambda: fastweights.FastWeightRNN(8, 8),
    "fwm": lambda: fastweights.FWMLSTM(8, 8, 4),
    "deltanet": lambda: fastweights.build("deltanet", 8, 8),
}


class Output(nn.Module):
    """A layer's output without its state."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param]().eval()


# torch says that tracing is old, and where it looks at numbers.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("unchecked")
def test_a_trace_runs_on_other_numbers(layer):
    """The kernels read memory behind torch's back: called as they are, they would not be in the trace."""
    x, other = torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    with torch.no_grad():
        traced = torch.jit.trace(Output(layer), (x,))
        torch.testing.assert_close(traced(other), layer(other)[0])


@pytest.mark.usefixtures("unchecked")
def test_functional_gradients_are_those_of_backward(layer):
    x = torch.randn(2, 5, 8)
    found = torch.func.grad(lambda x: layer(x)[0].square().sum())(x)
    x.requires_grad_()
    layer(x)[0].square().sum().backward()
    torch.testing.assert_close(found, x.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernels_say_that_they_cannot_be_transformed(dtype):
    memory = fastweights.FastWeightMemory(8, 4, backend="cpu").to(dtype)
    with pytest.raises(UserError, match=r"torch\.func transforms"):
        torch.func.vmap(lambda x: memory(x[None])[0])(torch.randn(2, 5, 8, dtype=dtype))


@pytest.mark.usefixtures("unchecked")
def test_weights_may_be_replaced(layer):
    x = torch.randn(2, 5, 8)
    doubled = {name: 2 * weight.detach() for name, weight in layer.named_parameters()}
    found = torch.func.functional_call(layer, doubled, (x,))[0]
    with torch.no_grad():
        for weight in layer.parameters():
            weight.mul_(2)
    torch.testing.assert_close(found, layer(x)[0])


def test_a_layer_may_lie_in_a_stack_twice():
    shared = fastweights.FastWeightMemory(8, 4)
    stack, x = Stack([shared, shared]), torch.randn(2, 5, 8)
    read = torch.tensor([[False, False, True, False, True]] * 2)
    whole, after = stack(x)
    some, same = stack(x, read_mask=read)
    torch.testing.assert_close(some[:, [2, 4]], whole[:, [2, 4]])
    for given, wanted in zip(states.tensors(same), states.tensors(after), strict=True):
        torch.testing.assert_close(given, wanted)
    assert [type(part) for part in stack.trace(x).state] == [type(part) for part in after]


@pytest.mark.usefixtures("unchecked")
def test_what_carries_no_state_is_no_layer_of_a_stack():
    for layers in ([nn.Linear(8, 8)], [LSTM(8, 8), nn.Linear(8, 8)]):
        with pytest.raises(UserError, match="a Linear has no Backbone in it"):
            Stack(layers)


def test_counters_are_moved_not_rounded():
    moved = states.to((torch.tensor([301]), torch.ones(1)), torch.bfloat16)
    assert moved[0].tolist() == [301] and moved[0].dtype == torch.int64
    assert moved[1].dtype == torch.bfloat16
