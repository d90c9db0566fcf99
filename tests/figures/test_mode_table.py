"""The figure of a table of modes: the mean, its spread, the paper's number, and the numbers written out."""

import pytest

from fastweights.errors import UserError
from fastweights.figures import mode_table


def row(model="fwm", mode="QA", value=96.8, sd=0.12, seeds=3, paper=96.75):
    return {
        "recipe": "catbabi-table1",
        "model": model,
        "mode": mode,
        "metric": "test_accuracy_percent",
        "value": value,
        "sd": sd,
        "seeds": seeds,
        "paper": paper,
    }


def marks(axes, hollow):
    found = [line for line in axes.lines if line.get_marker() == "o"]
    found = [line for line in found if (line.get_markerfacecolor() == "none") == hollow]
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in found]


def written(axes):
    """The lines of numbers, without the columns' names."""
    texts = [text.get_text() for text in axes.texts[3:]]
    return [tuple(texts[start : start + 3]) for start in range(0, len(texts), 3)]


def test_mean_spread_and_paper():
    (axes,) = mode_table([row()]).axes
    assert marks(axes, hollow=False) == [(96.8, 0)] and marks(axes, hollow=True) == [(96.75, 0)]
    ((segment,),) = [bars.get_segments() for bars in axes.collections]
    assert segment[:, 0].tolist() == pytest.approx([96.68, 96.92])
    assert written(axes) == [("96.80 ± 0.12", "3", "96.75")]
    assert axes.get_title(loc="left") == "QA" and "%" in axes.get_xlabel()


def test_a_panel_for_each_mode_a_line_for_each_model_in_the_order_given():
    names = [f"model {index}" for index in range(8)]
    rows = [
        row(name, mode, value=10.0 * i) for i, name in enumerate(names) for mode in ("QA", "LM")
    ]
    qa, lm = mode_table([*rows, row("more", "LM")]).axes
    assert [text.get_text() for text in qa.get_yticklabels()] == names
    assert [text.get_text() for text in lm.get_yticklabels()] == [*names, "more"]
    assert marks(qa, hollow=False) == [(10.0 * i, i) for i in range(8)]
    assert qa.get_ylim()[0] > qa.get_ylim()[1]  # the first model is on top


def test_what_is_missing_is_said():
    rows = [
        row("jbfw", value=None, sd=None, paper=13.22),
        row("deltanet", paper=None, sd=None, seeds=1),
    ]
    (axes,) = mode_table(rows).axes
    assert written(axes) == [("diverged", "3", "13.22"), ("96.80", "1", "–")]
    assert marks(axes, hollow=False) == [(96.8, 1)] and marks(axes, hollow=True) == [(13.22, 0)]
    assert not any(bars.get_segments() for bars in axes.collections)


def test_columns_stay_apart_and_on_the_page():
    figure = mode_table([row(value=100.0, sd=16.6), row("lstm")], title="Table 1")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    for first, second, third in (axes.texts[:3], axes.texts[3:6], axes.texts[6:]):
        extents = [text.get_window_extent() for text in (first, second, third)]
        assert axes.bbox.x1 < extents[0].x0
        assert extents[0].x1 < extents[1].x0 and extents[1].x1 < extents[2].x0
        assert extents[2].x1 <= figure.bbox.x1


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([], "one metric, not none"),
        ([row(), row() | {"metric": "test_perplexity"}], "test_accuracy_percent, test_perplexity"),
        ([row(), row()], "two rows of fwm in mode 'QA'"),
    ],
)
def test_refused(rows, complaint):
    with pytest.raises(UserError, match=complaint):
        mode_table(rows)
