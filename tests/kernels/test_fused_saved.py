"""What fused kernels keep for their backward is torch's to see, to move and to free."""

import pytest
import torch
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from fastweights import nn
from fastweights.kernels import memory
from fastweights.ops import dispatch as backends

reason = backends.unavailable("lstm", "cpu")
pytestmark = pytest.mark.skipif(reason is not None, reason=str(reason))

LAYERS = {"lstm": nn.LSTM, "fast-weights": nn.FastWeightRNN, "memory": nn.DeltaNet}


@pytest.fixture(params=LAYERS)
def layer(request, monkeypatch):
    """Each fused layer in turn; all that its kernels work in is lent by the pool, where it is counted."""
    monkeypatch.setattr(memory, "LARGE", 1)
    torch.manual_seed(0)
    return LAYERS[request.param](5, 6, backend="cpu")


@pytest.fixture
def x():
    return torch.randn(3, 9, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)


def lent(y):
    """The buffers lent to anyone but y."""
    return {key for key, (_, b) in memory._lent.items() if b.data_ptr() != y.data_ptr()}


def gradients(y, layer, x, **options):
    return torch.autograd.grad(y.square().sum(), (x, *layer.parameters()), **options)


def test_hooks_see_all_that_is_kept(layer, x):
    true = gradients(layer(x)[0], layer, x)
    start, packed = lent(x), []
    with saved_tensors_hooks(
        lambda tensor: packed.append(tensor.clone()) or len(packed) - 1, packed.__getitem__
    ):
        y = layer(x)[0]
    assert lent(y) <= start  # the copies are all that is left
    assert all(map(torch.equal, gradients(y, layer, x), true))
    with save_on_cpu():
        y = layer(x)[0]
    assert all(map(torch.equal, gradients(y, layer, x), true))


def test_a_checkpoint_keeps_nothing(layer, x):
    true = gradients(layer(x)[0], layer, x)
    start = lent(x)
    y = checkpoint(lambda x: layer(x)[0], x, use_reentrant=False)
    assert lent(y) <= start
    assert all(map(torch.equal, gradients(y, layer, x), true))


def test_the_backward_frees_it_unless_told_to_retain_it(layer, x):
    start = lent(x)
    y = layer(x)[0]
    first = gradients(y, layer, x, retain_graph=True)
    assert not lent(y) <= start
    assert all(map(torch.equal, gradients(y, layer, x, retain_graph=True), first))
    assert all(map(torch.equal, gradients(y, layer, x), first))
    del first
    assert lent(y) <= start
    with pytest.raises(RuntimeError, match="second time"):
        gradients(y, layer, x)
