"""The dropouts of recurrent networks: which numbers share a mask, how many go, and nothing outside training."""

import pytest
import torch

from fastweights import nn, ops
from fastweights.nn.parts.dropout import drop_rows

B, T, D, H = 3, 7, 5, 6


def vectors(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def nearly(share, rate, draws):
    """A share of independent draws is within five standard deviations of its expectation."""
    assert abs(float(share) - rate) < 5 * (rate * (1 - rate) / draws) ** 0.5


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.75])
def test_variational_masks_hold_for_all_steps_of_a_row(rate):
    x = vectors(40, T, 50)
    y = nn.VariationalDropout(rate)(x)
    kept = y != 0
    assert (kept == kept[:, :1]).all()
    torch.testing.assert_close(y[kept], (x / (1 - rate))[kept])
    nearly(1 - kept[:, 0].double().mean(), rate, 40 * 50)
    assert (kept[0, 0] != kept[1, 0]).any()  # each row has its own


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_rows_are_dropped_whole(rate):
    table = vectors(2000, 3)
    dropped = drop_rows(table, rate, training=True)
    kept = dropped != 0
    assert (kept == kept[:, :1]).all()
    torch.testing.assert_close(dropped[kept], (table / (1 - rate))[kept])
    nearly(1 - kept[:, 0].double().mean(), rate, 2000)


def test_outside_training_nothing_is_touched():
    x, table = vectors(B, T, D), vectors(4, D)
    dropout = nn.VariationalDropout(0.9)
    assert dropout.eval()(x) is x and nn.VariationalDropout(0)(x) is x
    assert drop_rows(table, 0.9, training=False) is table
    assert drop_rows(table, 0.0, training=True) is table
    layer = nn.LSTM(D, H, recurrent_dropout=0.9).eval()
    assert layer.recurrent_weight() is layer.rnn.weight_hh_l0


@pytest.mark.parametrize("rate", [0.2, 0.6])
def test_recurrent_weights_are_dropped_one_by_one(rate):
    layer = nn.LSTM(D, 40, recurrent_dropout=rate)
    weight, dropped = layer.rnn.weight_hh_l0, layer.recurrent_weight()
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], (weight / (1 - rate))[kept])
    nearly(1 - kept.double().mean(), rate, 4 * 40 * 40)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("backend", ["cpu", "torch", "reference"])
def test_a_forward_runs_one_dropped_weight(backend, padded):
    """Same draw, same results and gradients, as a layer that has the dropped weight for its own."""
    if backend == "cpu" and ops.backend.unavailable("lstm", "cpu"):
        pytest.skip("no kernels here")
    layer = nn.LSTM(D, H, recurrent_dropout=0.5, backend=backend).double()
    x, mask = vectors(B, T, D), torch.arange(T) < torch.tensor([[T], [4], [2]])
    mask = mask if padded else None
    torch.manual_seed(5)
    y, state = layer(x, mask=mask)
    torch.manual_seed(5)
    dropped = layer.recurrent_weight().detach()
    assert 0 < (dropped == 0).sum() < dropped.numel()
    peer = nn.LSTM(D, H, backend="reference").double()
    peer.load_state_dict(layer.state_dict() | {"rnn.weight_hh_l0": dropped})
    peer_y, peer_state = peer(x, mask=mask)
    torch.testing.assert_close((y, *state), (peer_y, *peer_state))
    (grad,) = torch.autograd.grad(y.square().sum(), layer.rnn.weight_hh_l0)
    (peer_grad,) = torch.autograd.grad(peer_y.square().sum(), peer.rnn.weight_hh_l0)
    torch.testing.assert_close(grad, 2 * peer_grad * (dropped != 0))
    assert not torch.allclose(layer(x)[0], y)  # the next forward draws anew


def test_a_step_runs_a_dropped_weight_too():
    layer = nn.LSTM(D, H, recurrent_dropout=1.0)
    x, state = torch.randn(B, D), layer.initial_state(B)
    state = state._replace(hidden=torch.randn(B, H))
    y, after = layer.step(x, state)
    torch.testing.assert_close((y, *after), (lambda r: (r[0], *r[1]))(layer.step(x)))
    assert not torch.allclose(y, layer.eval().step(x, state)[0])


def test_a_stack_drops_between_its_layers_alone():
    """All features between are dropped, so the upper layer gets zeros; its own output is whole."""
    below, above = nn.LSTM(D, H), nn.LSTM(H, H)
    x, zeros = torch.randn(B, T, D), torch.zeros(B, T, H)
    y, _ = nn.Stack([below, above], dropout=1.0)(x)
    torch.testing.assert_close(y, above(zeros)[0])
    y, _ = nn.Stack([below, above], dropout=1.0, residual=True)(x)
    torch.testing.assert_close(y, below(x)[0] + above(zeros)[0])
    y, _ = nn.Stack([below, above], dropout=1.0).step(x[:, 0])
    torch.testing.assert_close(y, above(zeros)[0][:, 0])
