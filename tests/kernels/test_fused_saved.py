"""What fused kernels keep for their backward is torch's to see, to move and to free."""

import pytest
import torch
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from fastweights import nn
from fastweights.kernels import memory
from fastweights.ops import backend as backends

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


def gradients(y, layer, x, **options):
    return torch.autograd.grad(y.square().sum(), (x, *layer.parameters()), **options)


def test_hooks_see_all_that_is_kept(layer, x):
    true = gradients(layer(x)[0], layer, x)
    start = len(memory._lent)
    y = layer(x)[0]
    kept = len(memory._lent) - start
    del y
    packed = []
    with saved_tensors_hooks(
        lambda t: packed.append(t.clone()) or len(packed) - 1, packed.__getitem__
    ):
        y = layer(x)[0]
    assert len(memory._lent) - start < kept  # the copies are all that is left of it
    assert all(map(torch.equal, gradients(y, layer, x), true))
    with save_on_cpu():
        y = layer(x)[0]
    assert all(map(torch.equal, gradients(y, layer, x), true))


def test_a_checkpoint_keeps_nothing(layer, x):
    true = gradients(layer(x)[0], layer, x)
    start = len(memory._lent)
    y = layer(x)[0]
    kept = len(memory._lent) - start
    del y
    y = checkpoint(lambda x: layer(x)[0], x, use_reentrant=False)
    assert len(memory._lent) - start < kept
    assert all(map(torch.equal, gradients(y, layer, x), true))


def test_the_backward_frees_it_unless_told_to_retain_it(layer, x):
    start = len(memory._lent)
    y = layer(x)[0]
    kept = len(memory._lent) - start
    first = gradients(y, layer, x, retain_graph=True)
    assert all(map(torch.equal, gradients(y, layer, x, retain_graph=True), first))
    assert all(map(torch.equal, gradients(y, layer, x), first))
    del first
    assert len(memory._lent) - start < kept
    with pytest.raises(RuntimeError, match="second time"):
        gradients(y, layer, x)
