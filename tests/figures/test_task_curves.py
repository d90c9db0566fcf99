"""Curves by task: a panel for each, of the numbers given."""

import numpy as np
import pytest

from fastweights.errors import UserError
from fastweights.figures import task_curves

TASKS = (1, 3, 16)


def rows_of(scale=1.0):
    """Metrics whose first row has no accuracies by task."""
    made = [
        {"step": 10 * at, "seconds": 60.0 * at, "per_task_accuracy": [0.1 * at * scale, None, 0.5]}
        for at in range(4)
    ]
    return [{"step": 0, "seconds": 0.0}, *made]


def test_a_panel_for_each_task():
    figure = task_curves({"fwm": [rows_of(), rows_of(0.5)], "lstm": [rows_of()]}, TASKS)
    first, none, last = figure.axes
    mean, lstm = first.lines[:2]
    assert mean.get_xdata().tolist() == [0, 10, 20, 30]
    np.testing.assert_allclose(mean.get_ydata(), [0, 7.5, 15, 22.5])
    np.testing.assert_allclose(lstm.get_ydata(), [0, 10, 20, 30])
    assert last.lines[0].get_ydata()[0] == 50 and last.get_yticks().tolist() == [0, 50, 100]
    assert not none.lines and [text.get_text() for text in none.texts] == ["no values"]
    (only,) = task_curves({"fwm": [rows_of()]}, TASKS, shown=[16], over="minutes").axes
    assert only.get_title() == "" and only.get_title(loc="left") == "16"
    assert only.lines[0].get_xdata().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("runs", "options", "complaint"),
    [
        ({}, {}, "1 to 7 names, not 0"),
        ({"a": [[{"step": 0}]]}, {}, "share no accuracy by task"),
        ({"a": [rows_of()]}, {"over": "hours"}, "unknown x axis"),
        ({"a": [rows_of()]}, {"shown": [5]}, "the tasks are 1, 3, 16, not"),
        ({"a": [rows_of()]}, {"tasks": (1, 2, 3, 4)}, "accuracies of fewer tasks"),
    ],
)
def test_refused(runs, options, complaint):
    with pytest.raises(UserError, match=complaint):
        task_curves(runs, **{"tasks": TASKS, **options})
