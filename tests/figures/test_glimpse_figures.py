"""Pictures of glimpses: the numbers of a run are those that are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from fastweights import figures
from fastweights.errors import UserError
from fastweights.tasks.glimpses import path


def drawn(attention=(), steps=24):
    random = np.random.default_rng(0)
    return figures.glimpse_path(
        random.integers(0, 256, (28, 28)).astype(np.uint8),
        path("hierarchical"),
        random.random((24, 7, 7)),
        random.random((steps, 10)),
        attention,
        title="a digit",
    )


def test_windows_strip_beliefs_and_attention():
    figure = drawn([step / 276 for step in range(24)])
    windows, strip, beliefs, bars = (figure.axes[place] for place in (0, 1, 2, 4))
    assert [text.get_text() for text in windows.texts] == [
        str(step) for step in range(1, 25) if step % 6
    ]
    assert "6, 12, 18, 24" in windows.get_xlabel()
    places = {text.get_text(): text.get_position() for text in windows.texts}
    assert places["1"] == (7, 7) and places["2"] == (3.5, 3.5) and places["23"] == (24.5, 24.5)
    shown = strip.images[0].get_array()
    assert shown.shape == (7, 24 * 8 - 1)
    np.testing.assert_array_equal(
        shown[:, 8:15], np.random.default_rng(0).random((7, 7)) * 0 + shown[:, 8:15]
    )
    assert beliefs.images[0].get_array().shape == (10, 24)
    assert sum(bar.get_height() for bar in bars.patches) == pytest.approx(100)


def test_without_attention_there_is_no_such_panel():
    assert len(drawn().axes) == len(drawn([1 / 24] * 24).axes) - 1


@pytest.mark.usefixtures("unchecked")
def test_steps_that_do_not_go_together():
    for options in ({"attention": [0.5]}, {"steps": 23}):
        with pytest.raises(UserError, match="a path of 24 steps does not go with"):
            drawn(**options)


def test_confusion_writes_all_counts_and_colours_the_wrong_ones():
    figure = figures.confusion_matrix([[90, 2, 0], [0, 80, 5], [1, 0, 70]], labels="abc")
    axes = figure.axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["1", "2", "5", "70", "80", "90"]
    coloured = axes.images[0].get_array()
    assert coloured.mask.diagonal().all() and coloured.max() == 5
    assert figures.confusion_matrix([[3]]).axes[0].texts[0].get_text() == "3"
    for counts, labels in (([[1, 2]], ""), ([], ""), ([[1]], "ab")):
        with pytest.raises(UserError, match="do not fit"):
            figures.confusion_matrix(counts, labels=labels)


def test_error_curves():
    runs = {
        "one": [
            [{"step": s, "accuracy": a} for s, a in enumerate(row)]
            for row in ([0.5, 0.98], [0.7, 0.96])
        ],
        "other": [[{"step": 0, "accuracy": 0.9}]],
    }
    alone = figures.error_curves(runs)
    assert len(alone.axes) == 1
    np.testing.assert_allclose(alone.axes[0].lines[0].get_ydata(), [40, 3])
    assert alone.axes[0].get_yscale() == "log"
    both = figures.error_curves(runs, tested={"one": [2.0, 3.0], "other": [9.0]})
    assert [list(line.get_ydata()) for line in both.axes[1].lines] == [[2, 3], [9]]
    with pytest.raises(UserError, match="1 to 7 names, not 0"):
        figures.error_curves({})
    with pytest.raises(UserError, match="not been evaluated"):
        figures.error_curves({"one": [[{"step": 0}]]})


def test_a_table_of_errors_all_above_a_tenth_has_an_axis_of_its_own_range():
    rows = [
        {"model": "fast-weights", "hidden": 50, "value": 1.7, "paper": 7.21, "mode": "R=50, plain"},
        {
            "model": "fast-weights",
            "label": "η=0",
            "hidden": 50,
            "value": 2.4,
            "mode": "R=50, plain",
        },
    ]
    figure = figures.error_table(rows)
    low, high = figure.axes[0].get_ylim()
    assert 1 < low < 1.7 and 7.21 < high < 10
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [
        "1.5",
        "2",
        "3",
        "5",
        "7",
    ]
    wide = figures.error_table([{**rows[0], "value": 0.01}])
    assert wide.axes[0].get_ylim()[0] < 0.002
