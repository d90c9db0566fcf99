"""A layer of a stack with another module around it, or with hooks: that module runs, whole and by steps."""

import pytest
import torch
from backbones import BACKBONES, HIDDEN, INPUT
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

from fastweights import nn
from fastweights.errors import UserError

STACKS = ["residual-lstm", "awd-lstm", "awd-fwm", "awd-txl", "stack-memories", "transformer-xl"]


class Around(torch.nn.Module):
    """Any module around a layer; it doubles what the layer outputs."""

    def __init__(self, layer, factor=1.0):
        super().__init__()
        self.layer, self.factor = layer, factor

    def forward(self, *given, **options):
        found = self.layer(*given, **options)
        if isinstance(found, tuple):
            return found[0] * self.factor, *found[1:]
        return found * self.factor


WRAPPERS = {
    "checkpoint": checkpoint_wrapper,
    "compiled": lambda layer: torch.compile(layer, backend="eager"),
    "module": Around,
}


def built(name):
    torch.manual_seed(0)
    return BACKBONES[name](INPUT, HIDDEN).eval()


def by_steps(net, x):
    state, outputs = None, []
    for step in x.unbind(1):
        y, state = net.step(step, state)
        outputs.append(y)
    return torch.stack(outputs, 1)


def gradients(net, y):
    y.square().sum().backward()
    found = [weight.grad for weight in net.parameters()]
    for weight in net.parameters():
        weight.grad = None
    return found


CASES = [
    *(("module", name, place) for name in STACKS for place in (0, -1)),
    *(("checkpoint", name, 0) for name in STACKS),
    ("compiled", "residual-lstm", 0),
]


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which the compiler looks at
@pytest.mark.usefixtures("unchecked")  # which a compiler does not get through
@pytest.mark.parametrize(("wrapper", "name", "place"), CASES)
def test_a_wrapped_layer_gives_what_it_gives_bare(wrapper, name, place):
    net, x = built(name), torch.randn(2, 6, INPUT)
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[0, 4:] = False
    true, padded, inside = net(x), net(x, mask=mask), net.trace(x)
    true_gradients = gradients(net, true[0])
    net.layers[place] = WRAPPERS[wrapper](net.layers[place])
    found = net(x)
    torch.testing.assert_close(found, true)
    torch.testing.assert_close(gradients(net, found[0]), true_gradients)
    torch.testing.assert_close(net(x, mask=mask), padded)
    torch.testing.assert_close(net.trace(x), inside)
    with torch.no_grad():
        torch.testing.assert_close(by_steps(net, x), true[0])
        torch.testing.assert_close(net(x[:, 3:], net(x[:, :3])[1])[0], true[0][:, 3:])
        step = net.stepper(2, 6)
        torch.testing.assert_close(torch.stack([step(x[:, t]) for t in range(6)], 1), true[0])
    assert len(net.initial_state(2)) == len(true[1])


@pytest.mark.parametrize("name", STACKS)
def test_what_a_module_around_does_is_done_whole_and_by_steps(name):
    net, x = built(name), torch.randn(2, 6, INPUT)
    before = net(x)[0]
    net.layers[0] = Around(net.layers[0], 2.0)
    after = net(x)[0]
    assert (after - before).abs().max() > 1e-3
    torch.testing.assert_close(by_steps(net, x), after)
    net.layers[0] = net.layers[0].layer
    net.layers[0].register_forward_hook(doubled)
    torch.testing.assert_close(net(x)[0], after)
    torch.testing.assert_close(by_steps(net, x), after)


def doubled(module, given, found):
    return (found[0] * 2, found[1]) if isinstance(found, tuple) else found * 2


def test_a_stack_may_be_made_of_wrapped_layers():
    layers = [nn.LSTM(5, 6), nn.LayerNormGRU(6, 4)]
    net = nn.Stack([Around(layer) for layer in layers])
    assert (net.input_size, net.output_size, net.takes_classes) == (5, 4, True)
    x = torch.randn(2, 3, 5)
    torch.testing.assert_close(net(x), nn.Stack(layers)(x))
    two = torch.nn.Sequential(nn.LSTM(5, 6), nn.LSTM(6, 5))
    for layer, words in (
        (torch.nn.Linear(5, 5), "a Linear has no Backbone"),
        (two, "more than one"),
    ):
        with pytest.raises(UserError, match=words):
            nn.Stack([layer])
