"""The AWD networks: their layers, what regularises their output, and what it costs."""

import copy

import pytest
import torch
from backbones import HIDDEN, INPUT

from fastweights import nn
from fastweights.nn.parts.auxiliary_loss import auxiliary_loss

B, T, D = 3, 7, 5


def vectors(*shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def mean_square(rows):
    """Over steps of unequal rows: the sum of all squares by their number."""
    return sum((row**2).sum() for row in rows) / sum(row.numel() for row in rows)


@pytest.mark.parametrize("padded", [False, True])
def test_the_price_of_an_output(padded):
    """Large outputs cost after the dropout, fast ones before it, real steps alone."""
    y, lengths = vectors(B, T, D).requires_grad_(), [T, 4, 0] if padded else [T] * B
    mask = torch.arange(T) < torch.tensor(lengths)[:, None]
    regulariser = nn.OutputRegulariser(0.5, activation=0.7, slowness=0.3)
    dropped = regulariser(y, mask if padded else None)
    assert (dropped == 0).any()
    real = [(row[:n], after[:n]) for row, after, n in zip(y, dropped, lengths, strict=True)]
    large = mean_square([after for _, after in real])
    fast = mean_square([row.diff(dim=0) for row, _ in real])
    torch.testing.assert_close(regulariser.auxiliary_loss, 0.7 * large + 0.3 * fast)
    regulariser.auxiliary_loss.backward()
    assert (y.grad[mask] != 0).any() and not y.grad[~mask].any()


def test_a_shorter_sequence_in_padding_costs_the_same():
    y = vectors(B, 4, D)
    padded = torch.cat([torch.full((B, 2, D), torch.nan, dtype=y.dtype), y], 1)
    regulariser = nn.OutputRegulariser(0.0)
    assert regulariser(y) is y
    alone = regulariser.auxiliary_loss
    regulariser(padded, torch.arange(6).expand(B, 6) >= 2)
    torch.testing.assert_close(regulariser.auxiliary_loss, alone)


def test_one_step_and_no_step_have_no_speed():
    regulariser = nn.OutputRegulariser(0.0, activation=1.0, slowness=5.0)
    y = vectors(B, 1, D)
    regulariser(y)
    torch.testing.assert_close(regulariser.auxiliary_loss, y.square().mean())
    regulariser(y, torch.zeros(B, 1, dtype=torch.bool))
    assert regulariser.auxiliary_loss == 0


def test_features_are_dropped_at_all_steps_of_a_row():
    y = vectors(20, T, 30)
    dropped = nn.OutputRegulariser(0.4)(y)
    kept = dropped != 0
    assert (kept == kept[:, :1]).all() and (kept[0, 0] != kept[1, 0]).any()
    assert abs(float(kept.double().mean()) - 0.6) < 5 * (0.24 / 600) ** 0.5
    torch.testing.assert_close(dropped[kept], (y / 0.6)[kept])


def test_outside_training_nothing_is_touched():
    regulariser, y = nn.OutputRegulariser(), vectors(B, T, D)
    regulariser(y)
    assert regulariser.auxiliary_loss is not None
    assert regulariser.eval()(y) is y
    assert regulariser.auxiliary_loss is None


@pytest.mark.parametrize("layer", [nn.AWDLSTM, nn.AWDFWM])
def test_it_is_its_layers(layer):
    """Three of them, from the input's size through the hidden one and back."""
    stack = layer(INPUT, HIDDEN).double().eval()
    sizes = [(each.input_size, each.output_size) for each in stack.layers]
    assert sizes == [(INPUT, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, INPUT)]
    assert stack.output_size == INPUT
    x = vectors(B, T, INPUT)
    y, states = stack(x)
    h = x
    for each, state in zip(stack.layers, states, strict=True):
        h, after = each(h)
        torch.testing.assert_close(tuple(after), tuple(state))
    torch.testing.assert_close(y, h)
    if layer is nn.AWDFWM:
        assert type(stack.layers[-1]) is nn.FWMLSTM and stack.layers[-1].residual
        assert stack.layers[-1].memory.variant == "language_model"


@pytest.mark.parametrize("layer", [nn.AWDLSTM, nn.AWDFWM])
def test_dropouts_are_where_they_should_be(layer):
    """Everything dropped at one place leaves what the layers make of zeros there."""
    x, rates = vectors(B, T, INPUT), {"recurrent_dropout": 0.0, "output_dropout": 0.0}
    stack = layer(INPUT, HIDDEN, hidden_dropout=1.0, **rates).double()
    torch.testing.assert_close(stack(x)[0], stack.layers[-1](torch.zeros(B, T, HIDDEN).double())[0])
    stack = layer(INPUT, HIDDEN, hidden_dropout=0.0, recurrent_dropout=1.0).double()
    assert all(part.recurrent_dropout == 1.0 for part in lstms(stack))
    assert not any(part.recurrent_weight().any() for part in lstms(stack))
    stack = layer(INPUT, HIDDEN, output_dropout=1.0).double()
    assert not stack(x)[0].any() and not stack.step(x[:, 0])[0].any()


def lstms(stack):
    return [each.lstm if isinstance(each, nn.FWMLSTM) else each for each in stack.layers]


@pytest.mark.parametrize("layer", [nn.AWDLSTM, nn.AWDFWM])
def test_what_a_forward_leaves_behind(layer):
    stack = layer(INPUT, HIDDEN, recurrent_dropout=0.0, hidden_dropout=0.0, output_dropout=0.0)
    x, mask = vectors(B, T, INPUT).float(), torch.arange(T) < torch.tensor([[T], [3], [5]])
    y, _ = stack(x, mask=mask)
    model = torch.nn.Sequential(stack)
    expected = nn.OutputRegulariser(0.0)
    expected(y, mask)
    torch.testing.assert_close(auxiliary_loss(model), expected.auxiliary_loss)
    assert auxiliary_loss(copy.deepcopy(model)) is None
    stack.eval()(x)
    assert auxiliary_loss(model) is None
