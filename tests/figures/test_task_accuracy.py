"""Accuracy by task: every number beside its bar, tasks by name, models side by side."""

import itertools
import math

import pytest

from fastweights.data.babi import TASK_NAMES
from fastweights.errors import UserError
from fastweights.figures import task_accuracy

TASKS = list(range(1, 21))
VALUES = [1 - 0.004 * task for task in TASKS]


def written(axes):
    return [text.get_text() for text in axes.texts]


def lengths(axes):
    return [bar.get_width() for bar in axes.patches]


def test_one_model():
    (axes,) = task_accuracy(VALUES, TASKS, labels=TASK_NAMES).axes
    assert lengths(axes) == pytest.approx([100 * value for value in VALUES])
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == [f"{TASK_NAMES[task]}  {task}" for task in TASKS]
    assert names[15] == "basic induction  16"
    assert written(axes)[0] == "99.6" and written(axes)[-1] == "92.0"
    low, high = axes.get_ylim()
    assert low > high  # the first task is on top
    assert "%" in axes.figure.get_supxlabel()


@pytest.mark.parametrize("passing", [0.95, 0.98])
def test_tasks_below_the_threshold_have_another_colour(passing):
    figure = task_accuracy(VALUES, TASKS, passing=passing)
    colours = [bar.get_facecolor() for bar in figure.axes[0].patches]
    solved = [value >= passing for value in VALUES]
    assert 0 < sum(solved) < 20
    assert len(set(colours)) == 2
    assert [colour == colours[0] for colour in colours] == solved
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == [f"solved (≥ {100 * passing:g} %)", "not solved"]


def test_eight_models_stand_side_by_side_on_shared_lines():
    models = {f"gated-deltanet {index}": VALUES[index:] + VALUES[:index] for index in range(8)}
    figure = task_accuracy(models, TASKS)
    assert len(figure.axes) == 8
    for index, axes in enumerate(figure.axes):
        assert lengths(axes) == pytest.approx(
            [100 * value for value in models[f"gated-deltanet {index}"]]
        )
        assert axes.get_title(loc="left").split() == ["gated-", "deltanet", str(index)]
    figure.draw_without_rendering()
    titles = [axes._left_title.get_window_extent() for axes in figure.axes]
    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(titles))


def test_all_answers_stand_under_the_tasks():
    models = {"fwm": VALUES, "lstm": VALUES}
    fwm, lstm = task_accuracy(models, TASKS, overall={"fwm": 0.9675}).axes
    assert written(fwm)[-1] == "96.8" and written(lstm)[-1] == "–"
    assert fwm.get_yticklabels()[-1].get_text() == "all answers"
    assert fwm.patches[-1].get_y() > fwm.patches[-2].get_y() + 1


def test_a_task_without_questions_and_the_ends_of_the_scale():
    (axes,) = task_accuracy([None, math.nan, 0.0, 1.0, 0.9999, 0.9994], range(1, 7)).axes
    assert written(axes) == ["–", "–", "0.0", "100", "100", "99.9"]
    assert lengths(axes)[:4] == [0, 0, 0, 100]


def test_numbers_stay_inside_their_panel():
    figure = task_accuracy({str(index): VALUES for index in range(8)}, TASKS)
    figure.draw_without_rendering()
    for axes in figure.axes:
        assert all(text.get_window_extent().x1 <= axes.bbox.x1 + 1 for text in axes.texts)


@pytest.mark.parametrize(
    ("accuracies", "tasks", "complaint"),
    [
        ({}, [1], "at least one model"),
        ([], [], "one task"),
        ({"fwm": [0.1, 0.2]}, [1], "'fwm': 2 for 1 tasks"),
    ],
)
def test_refused(accuracies, tasks, complaint):
    with pytest.raises(UserError, match=complaint):
        task_accuracy(accuracies, tasks)
