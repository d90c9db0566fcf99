"""The LSTM with a Fast Weight Memory: its parts, its published sizes, and reads that are left out."""

import pytest
import torch
from backbones import BACKBONES, HIDDEN, INPUT

from fastweights import models, nn
from fastweights import state as states
from fastweights.errors import UserError
from fastweights.ops import dispatch as backends

B, T = 3, 9
MEMORIES = [
    name for name in BACKBONES if name.startswith(("fwm", "memory", "linear", "delta", "gated"))
]
memories = pytest.mark.parametrize("name", [*MEMORIES, "stack-memories", "awd-fwm"])


def built(name):
    torch.manual_seed(0)
    return BACKBONES[name](INPUT, HIDDEN).double().eval()


def vectors(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, T, INPUT, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("variant", ["paper", "catbabi", "language_model", "meta_rl"])
@pytest.mark.parametrize("residual", [None, True, False])
def test_it_is_an_lstm_and_a_memory_on_it(variant, residual):
    torch.manual_seed(0)
    layer = nn.FWMLSTM(INPUT, HIDDEN, 4, 2, variant=variant, residual=residual).double()
    x = vectors()
    state = states.detach(layer(vectors(2))[1])
    assert type(state) is nn.FWMLSTMState
    y, end = layer(x, state)
    h, lstm = layer.lstm(x, nn.LSTMState(state.hidden, state.cell))
    above, memory = layer.memory(
        h, nn.FastWeightMemoryState(state.memory, h.new_empty(len(h), 0, h.shape[2]))
    )
    adds = variant != "catbabi" if residual is None else residual
    torch.testing.assert_close(y, h + above if adds else above, rtol=0, atol=0)
    torch.testing.assert_close(end.memory, memory.memory, rtol=0, atol=0)
    torch.testing.assert_close((end.hidden, end.cell), tuple(lstm), rtol=0, atol=0)
    trace = layer.trace(x, state)
    torch.testing.assert_close(trace.hidden, h)
    assert trace.read_weights.shape == (B, T, 2, T) and trace.memory.shape == (B, T, 4, 4, 4)


@pytest.mark.parametrize(("vocabulary", "weights"), [(200, 693_985), (180, 683_745)])
def test_as_many_weights_as_published(vocabulary, weights):
    """The catbAbI network: an embedding of 256, this layer, and a head without a bias."""
    layer = nn.FWMLSTM(256, 256)
    assert 2 * 256 * vocabulary + sum(p.numel() for p in layer.parameters()) == weights


def test_the_forget_gate_of_catbabi_starts_open():
    bias = nn.FWMLSTM(5, 6).lstm.rnn.bias_ih_l0.detach().view(4, 6)
    assert (bias[1] == 1).all() and (bias[[0, 2, 3]] == 0).all()
    torch.manual_seed(3)
    plain = nn.FWMLSTM(5, 6, variant="meta_rl")
    names = {name for name, _ in plain.lstm.named_parameters()}
    assert names == {f"rnn.{kind}_l0" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    assert (plain.lstm.rnn.bias_ih_l0 != 1).all()


@memories
def test_reading_less_changes_outputs_alone(name):
    backbone, x = built(name), vectors()
    torch.manual_seed(5)
    read_mask = torch.rand(B, T) < 0.4
    state = states.detach(backbone(vectors(2))[1])
    assert backbone.reads_outside
    whole, end = backbone(x, state)
    y, same = backbone(x, state, read_mask=read_mask)
    for one, other in zip(states.tensors(end), states.tensors(same), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(y[read_mask], whole[read_mask], rtol=1e-12, atol=1e-12)
    unread = torch.zeros_like(y)
    if isinstance(backbone, nn.AWDFWM):
        below, top = nn.Stack(backbone.layers[:-1]).eval(), backbone.layers[-1].lstm
        h, _ = below(x, state[:-1])
        unread = top(h, nn.LSTMState(*state[-1][:2]))[0]
    elif getattr(backbone, "residual", False):
        unread = backbone.lstm(x, nn.LSTMState(state.hidden, state.cell))[0]
    torch.testing.assert_close(y[~read_mask], unread[~read_mask], rtol=0, atol=0)
    alone, _ = backbone(x[0], read_mask=read_mask[0])
    torch.testing.assert_close(alone, backbone(x[:1], read_mask=read_mask[:1])[0][0])


@memories
def test_padding_and_reading_less_together(name):
    backbone, x = built(name), vectors()
    mask = torch.stack([torch.arange(T) < 4, torch.arange(T) >= 3, torch.arange(T) < T])
    read_mask = torch.arange(T).expand(B, T) % 2 == 0
    spoiled = torch.where(mask[:, :, None], x, torch.nan)
    y, _ = backbone(spoiled, mask=mask, read_mask=read_mask)
    assert (y[~mask] == 0).all() and torch.isfinite(y).all()
    seen = mask & read_mask
    torch.testing.assert_close(y[seen], backbone(spoiled, mask=mask)[0][seen])


def test_steps_left_unread_teach_the_queries_nothing():
    layer = nn.FastWeightMemory(5, 3).double()
    y, state = layer(vectors(), read_mask=torch.zeros(B, T, dtype=torch.bool))
    (y.sum() + state.memory.square().sum()).backward()
    assert not layer.read.weight.grad.any() and layer.write.weight.grad.any()


@pytest.mark.parametrize("name", ["lstm", "fast-weights", "gru-ln", "stack"])
def test_layers_without_an_outside_read_refuse_the_mask(name):
    backbone = built(name)
    assert not backbone.reads_outside
    with pytest.raises(UserError, match="outside read"):
        backbone(vectors(), read_mask=torch.ones(B, T, dtype=torch.bool))


@pytest.mark.usefixtures("unchecked")
def test_a_read_mask_that_does_not_fit():
    with pytest.raises(UserError, match="read_mask"):
        built("fwm")(vectors(), read_mask=torch.ones(B, T - 1, dtype=torch.bool))


def test_a_model_passes_the_read_mask_on():
    model = models.SequenceModel(
        torch.nn.Embedding(7, 5), nn.FWMLSTM(5, 6, 3), torch.nn.Linear(6, 4)
    )
    tokens = torch.randint(0, 7, (B, T))
    read_mask = tokens == 3
    logits, _ = model(tokens, read_mask=read_mask)
    expected = model.head(model.backbone(model.encoder(tokens), read_mask=read_mask)[0])
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("build", [nn.FWMLSTM, nn.AWDFWM])
def test_all_of_it_has_a_second_derivative_with_the_reference(build):
    torch.manual_seed(0)
    layer = build(2, 3, memory_size=2, reads=1, backend="reference").double().eval()
    x = torch.randn(1, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], x)


@pytest.mark.skipif(backends.unavailable("lstm", "cpu") is not None, reason="no fused kernels here")
@pytest.mark.parametrize("backend", ["auto", "chunked"])
def test_where_there_is_no_second_derivative_it_says_what_has_one(backend):
    layer = nn.FWMLSTM(2, 3, 2, backend=backend)
    x = torch.randn(1, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"no second derivative; .*'reference'"):
        gradient.sum().backward()
