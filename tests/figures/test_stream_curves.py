"""Curves of runs on a stream: the numbers given, over steps and over minutes, beside what is published."""

import numpy as np
import pytest

from fastweights.errors import UserError
from fastweights.figures import stream_curves

PAPER = {"fwm": {"accuracy": 0.9675, "perplexity": 1.36}}


def make_run(speed=1.0, rows=6, seconds=60.0):
    """Metrics of a run on a stream; the first row precedes any training step."""
    made = []
    for index in range(rows):
        left = np.exp(-speed * index)
        row = {
            "step": 100 * index,
            "seconds": seconds * index,
            "accuracy": 1 - left,
            "perplexity": 1 + 99 * left,
        }
        made.append(row | ({"train_loss": 4 * left} if index else {}))
    return made


def curves(axes):
    return [line for line in axes.lines if not line.get_label().startswith("_")]


def levels(axes):
    return [line.get_ydata()[0] for line in axes.lines if line.get_label().startswith("_")]


def test_a_line_of_panels_over_steps_and_one_over_minutes():
    rows = make_run()
    figure = stream_curves({"fwm": [rows]})
    panels = np.array(figure.axes).reshape(2, 3)
    for line, label in zip(panels, ("training step", "training time (minutes)"), strict=True):
        assert [axes.get_xlabel() for axes in line] == [label] * 3
    for loss, accuracy, perplexity in panels:
        assert "nats" in loss.get_ylabel() and "%" in accuracy.get_ylabel()
        assert curves(loss)[0].get_ydata().tolist() == [row["train_loss"] for row in rows[1:]]
        expected = [100 * row["accuracy"] for row in rows]
        np.testing.assert_allclose(curves(accuracy)[0].get_ydata(), expected)
        assert perplexity.get_yscale() == "log"
    assert curves(panels[0, 1])[0].get_xdata().tolist() == [0, 100, 200, 300, 400, 500]
    assert curves(panels[1, 1])[0].get_xdata().tolist() == [0, 1, 2, 3, 4, 5]
    assert curves(panels[1, 0])[0].get_xdata().tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("clock", ["step", "minutes"])
def test_seeds_are_a_mean_and_a_shade(clock):
    seeds = [make_run(0.5, seconds=30), make_run(1.0, seconds=90), make_run(1.5, rows=5)]
    figure = stream_curves({"fwm": seeds, "lstm": [make_run(0.2)]}, over=[clock])
    _, accuracy, perplexity = figure.axes
    mean, single = curves(accuracy)
    values = np.array([[100 * row["accuracy"] for row in rows[:5]] for rows in seeds])
    np.testing.assert_allclose(mean.get_ydata(), values.mean(0))
    expected = [0, 100, 200, 300, 400] if clock == "step" else [0, 1, 2, 3, 4]
    assert mean.get_xdata().tolist() == expected
    assert mean.get_label() == "fwm (3 seeds, ± sd)" and single.get_label() == "lstm"
    assert len(accuracy.collections) == 1
    # On the logarithmic axis the shade never reaches below the lowest seed.
    lowest = min(row["perplexity"] for rows in seeds for row in rows[:5])
    assert perplexity.collections[0].get_paths()[0].vertices[:, 1].min() >= lowest - 1e-9


def test_published_numbers_are_dashed_lines_in_their_models_colour():
    runs = {"lstm": [make_run()], "fwm": [make_run()]}
    figure = stream_curves(runs, over=["step"], published=PAPER)
    loss, accuracy, perplexity = figure.axes
    assert levels(loss) == [] and levels(accuracy) == [96.75] and levels(perplexity) == [1.36]
    reference = accuracy.lines[-1]
    assert reference.is_dashed() and reference.get_color() == curves(accuracy)[1].get_color()
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["lstm", "fwm", "paper, test data"]


def test_panels_that_a_run_lacks_are_left_out_and_null_leaves_a_gap():
    rows = [{"step": 0, "accuracy": 0.5}, {"step": 1, "accuracy": None}]
    (axes,) = stream_curves({"mnm": [rows]}, over=["step"]).axes
    drawn = curves(axes)[0].get_ydata()
    assert drawn[0] == 50 and np.isnan(drawn[1])


def test_seven_models():
    runs = {f"model {index}": [make_run(0.3 * index)] for index in range(1, 8)}
    looks = {(line.get_color(), line.get_linestyle()) for line in stream_curves(runs).axes[1].lines}
    assert len({colour for colour, _ in looks}) == 7


@pytest.mark.parametrize(
    ("runs", "options", "complaint"),
    [
        ({}, {}, "1 to 7 names, not 0"),
        ({str(name): [make_run()] for name in range(8)}, {}, "not 8"),
        ({"a": []}, {}, "share no"),
        ({"a": [[{"step": 0}]]}, {}, "share no"),
        ({"a": [make_run()]}, {"over": []}, "share no"),
        ({"a": [make_run()]}, {"over": ["minute"]}, "did you mean 'minutes'"),
        ({"fmw": [make_run()]}, {"published": PAPER}, "'fwm'; did you mean 'fmw'"),
        ({"a": [[{"step": 0, "accuracy": 0.1}]]}, {"over": ["minutes"]}, "seconds"),
        (
            {"a": [[*make_run(), {"step": 900, "accuracy": 0.9}]]},
            {"over": ["minutes"]},
            "accuracy but no seconds",
        ),
    ],
)
def test_refused(runs, options, complaint):
    with pytest.raises(UserError, match=complaint):
        stream_curves(runs, **options)
