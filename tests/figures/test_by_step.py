"""Scores by step and tables of scores, as they are drawn."""

import pytest

from fastweights import figures
from fastweights.errors import UserError


def test_steps_that_are_not_asked_for_are_left_out():
    seeds = [[None, 0.5, None, 1.0], [None, 0.7, None, 0.6]]
    axes = figures.score_by_step({"lstm": seeds}, trained=2, levels={"without memory": 0.1}).axes[0]
    assert axes.lines[0].get_xdata().tolist() == [2, 4]
    assert axes.lines[0].get_ydata().tolist() == pytest.approx([60, 80])
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["without memory\n10 %", "as trained"]
    assert "as trained" not in [
        text.get_text() for text in figures.score_by_step({"lstm": seeds}, trained=4).axes[0].texts
    ]


def test_errors_stand_on_a_logarithmic_axis_beside_the_best():
    figure = figures.score_by_step(
        {"lstm": [[1.0, 0.3]]},
        measure="squared_error",
        levels={"always 0": 1.01, "noise": 0.0},
        beside={"ridge regression": [1.0, 0.1]},
    )
    axes = figure.axes[0]
    assert axes.get_yscale() == "log" and axes.get_ylabel() == "squared error"
    assert axes.lines[1].get_ydata().tolist() == [1.0, 0.1]
    assert [text.get_text() for text in axes.texts] == ["always 0"]


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ({}, "1 to 7 names"),
        ({"lstm": []}, "none, or of several lengths"),
        ({"lstm": [[1.0], [1.0, 0.5]]}, "of several lengths"),
        ({"lstm": [[None, None]]}, "asked for nothing"),
    ],
)
def test_what_cannot_be_drawn(scores, told):
    with pytest.raises(UserError, match=told):
        figures.score_by_step(scores)


def row(model, mode, value, **more):
    return {"model": model, "mode": mode, "value": value, "sd": None, **more}


def test_a_table_has_a_line_for_each_model_and_a_column_for_each_test():
    rows = [
        row("lstm", "parity", 100.0),
        row("deltanet", "parity", None, label="deltanet [-1, 1]"),
        row("lstm", "s3", 55.55),
    ]
    axes = figures.score_table(rows, chance={"s3": 16.7}).axes[0]
    assert [text.get_text() for text in axes.texts] == ["100.0", "55.5", "diverged", "16.7"]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["lstm", "deltanet [-1, 1]", "without memory"]
    with pytest.raises(UserError, match="two rows of lstm on parity"):
        figures.score_table([rows[0], rows[0]])
    with pytest.raises(UserError, match="no rows"):
        figures.score_table([])
