"""The pictures of a trace hold its numbers, on one scale, with the symbols beside them."""

import numpy as np
import pytest
import torch
from made import SYMBOLS, make_trace

from fastweights.errors import UserError
from fastweights.figures import attention, hidden_trace, memory_evolution, saturation


def image(axes):
    return axes.images[0]


@pytest.mark.parametrize("signed", [False, True])
def test_memory_shows_every_matrix_on_one_scale(signed):
    trace = make_trace(signed=signed)
    figure = memory_evolution(trace, SYMBOLS, row=1)
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title(loc="left") for axes in panels] == list(SYMBOLS)
    for step, axes in enumerate(panels):
        np.testing.assert_allclose(image(axes).get_array(), trace.memory[1, step], rtol=1e-6)
    assert len({image(axes).norm for axes in panels}) == 1
    low, high = image(panels[0]).get_clim()
    assert low == (-high if signed else 0)
    bar = figure.axes[-1]
    assert "A_{ij}" in bar.get_ylabel() and "dimensionless" in bar.get_ylabel()
    assert figure.get_supxlabel() and figure.get_supylabel()


def test_memory_titles_follow_the_steps_traced():
    trace = make_trace()
    trace = trace._replace(memory=trace.memory[:, [1, 6]], memory_steps=(1, 6))
    panels = [axes for axes in memory_evolution(trace, SYMBOLS).axes if axes.images]
    assert [axes.get_title(loc="left") for axes in panels] == ["1", "a"]
    assert [axes.get_title(loc="right") for axes in panels] == ["t = 2", "t = 7"]


def test_of_many_steps_memory_shows_24_with_first_and_last():
    symbols = "ab" * 20
    figure = memory_evolution(make_trace(symbols), symbols)
    titles = [axes.get_title(loc="right") for axes in figure.axes if axes.images]
    assert len(titles) == 24 and titles[0] == "t = 1" and titles[-1] == "t = 40"


def test_memory_of_several_parts_is_stacked():
    trace = make_trace()
    parts = torch.arange(2 * 7 * 3 * 4 * 5.0).reshape(2, 7, 3, 4, 5)
    figure = memory_evolution(trace._replace(memory=parts), SYMBOLS)
    assert image(figure.axes[0]).get_array().shape == (12, 5)


def test_outliers_do_not_pale_the_rest_and_the_bar_says_so():
    trace = make_trace(hidden=30)
    trace.memory[0, -1, 0, 0] = 1e6
    last = [axes for axes in memory_evolution(trace, SYMBOLS).axes if axes.images][-1]
    assert image(last).get_clim()[1] < 1e3
    assert image(last).colorbar.extend == "max"


@pytest.mark.parametrize("signed", [False, True])
def test_hidden_trace_and_norms(signed):
    trace = make_trace(signed=signed)
    above, below = hidden_trace(trace, SYMBOLS, row=1).axes[:2]
    h = trace.hidden[1].double().numpy()
    np.testing.assert_allclose(image(above).get_array(), h.T)
    heights = [bar.get_height() for bar in below.patches]
    np.testing.assert_allclose(heights, np.sqrt((h**2).sum(1)))
    assert [tick.get_text() for tick in below.get_xticklabels()] == list(SYMBOLS)
    assert above.get_ylabel() and below.get_xlabel() and below.get_ylabel()


@pytest.mark.parametrize("signed", [False, True])
def test_attention_shows_weights_and_the_last_shares(signed):
    trace = make_trace(signed=signed)
    above, below = attention(trace, SYMBOLS, row=1, read=0).axes[:2]
    weights = trace.read_weights[1, :, 0].double().numpy()
    shown = image(above).get_array()
    np.testing.assert_allclose(shown.data, weights)
    # The step that reads cannot see itself, nor the future.
    assert np.array_equal(shown.mask, ~np.tril(np.ones((7, 7), bool), -1))
    heights = np.array([bar.get_height() for bar in below.patches])
    assert np.abs(heights).sum() == pytest.approx(100)
    np.testing.assert_allclose(heights * np.abs(weights[-1]).sum(), 100 * weights[-1])
    assert [tick.get_text() for tick in above.get_yticklabels()] == list(SYMBOLS)


def test_attention_shows_a_step_to_itself_where_it_sees_itself():
    trace = make_trace()
    trace = trace._replace(read_weights=torch.tril(torch.ones(2, 7, 7))[:, :, None])
    mask = image(attention(trace, SYMBOLS).axes[0]).get_array().mask
    assert not mask.diagonal().any() and mask[0, 1]


def test_attention_of_a_read_that_took_nothing():
    trace = make_trace()
    trace = trace._replace(read_weights=torch.zeros_like(trace.read_weights))
    heights = [bar.get_height() for bar in attention(trace, SYMBOLS).axes[1].patches]
    assert heights == [0] * 7


def test_traces_that_do_not_fit():
    trace = make_trace()
    for draw in (memory_evolution, hidden_trace, attention):
        with pytest.raises(UserError, match="7 steps, but 'a1' is 2 symbols"):
            draw(trace, "a1")
        with pytest.raises(UserError, match="rows 0 to 1, not 2"):
            draw(trace, SYMBOLS, row=2)
    with pytest.raises(UserError, match="no fast memory"):
        memory_evolution(trace._replace(memory=None), SYMBOLS)
    with pytest.raises(UserError, match="no matrix"):
        memory_evolution(trace._replace(memory=trace.hidden), SYMBOLS)
    with pytest.raises(UserError, match="does not attend"):
        attention(trace._replace(read_weights=None), SYMBOLS)
    with pytest.raises(UserError, match="2 reads"):
        attention(trace, SYMBOLS, read=2)
    trace.hidden[0, 0, 0] = torch.nan
    with pytest.raises(UserError, match="NaN"):
        hidden_trace(trace, SYMBOLS)


def saturated():
    """One model in the middle of tanh, one of whose units three quarters are at the ends."""
    free, stuck = make_trace(signed=True), make_trace(signed=True)
    free.hidden.mul_(0.1)
    stuck.hidden[:] = 1.0
    stuck.hidden[..., ::4] = 0.5
    return {"LN": free, "no LN": stuck}


def test_saturation_shows_norms_shares_and_gradients():
    traces = saturated()
    gradients = {"LN": [0.1 * (t + 1) for t in range(7)], "no LN": [0, 0, 0, 0, 0, 1e-9, 1.0]}
    norm, stuck, gradient = saturation(traces, gradients, symbols=SYMBOLS).axes
    for line, trace in zip(norm.lines, traces.values(), strict=False):
        expected = trace.hidden.double().square().sum(-1).sqrt().mean(0)
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-6)
    share = float((traces["no LN"].hidden.abs() >= 0.99).double().mean())
    assert 0.5 < share < 1
    np.testing.assert_allclose(stuck.lines[1].get_ydata(), 100 * share)
    np.testing.assert_allclose(stuck.lines[0].get_ydata(), 0)
    assert gradient.get_yscale() == "log"
    drawn = gradient.lines[1].get_ydata()
    assert np.isnan(drawn[:5]).all() and drawn[5:].tolist() == [1e-9, 1.0]
    assert gradient.lines[2].get_xdata().tolist() == [0, 1, 2, 3, 4]
    root = [text.get_text() for text in norm.texts]
    assert "√H = 2.4" in root[0]


def test_saturation_of_relu_counts_silent_units():
    trace = make_trace()
    trace.hidden[..., :3] = 0
    figure = saturation({"LN": trace}, {"LN": [1.0] * 7}, nonlinearity="relu")
    np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), 50)
    assert figure.axes[0].get_xlabel() == "step t"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"gradients": {"LN": [1.0] * 7}}, "a gradient each"),
        ({"gradients": {"LN": [1.0] * 6, "no LN": [1.0] * 7}}, "different steps"),
        ({"symbols": "ab"}, "different steps"),
        ({"nonlinearity": "tan"}, "did you mean 'tanh'"),
    ],
)
def test_saturation_refuses(change, complaint):
    arguments = {"gradients": {"LN": [1.0] * 7, "no LN": [1.0] * 7}, **change}
    with pytest.raises(UserError, match=complaint):
        saturation(saturated(), **arguments)
