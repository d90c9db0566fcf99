"""The figure of a table: every seed, the median, the paper's number; an error of 0 has its place."""

import numpy as np
import pytest

from fastweights.errors import UserError
from fastweights.figures import error_table

MODE = "fresh data, 10,000 steps"


def row(model="lstm", hidden=20, values=(60.0, 62.0, 61.0), paper=60.8, mode=MODE):
    return {
        "recipe": "ba2016-table1",
        "model": model,
        "hidden": hidden,
        "metric": "test_error_percent",
        "value": float(np.mean(values)),
        "median": float(np.median(values)),
        "by_seed": {str(seed): {"value": value} for seed, value in enumerate(values)},
        "paper": paper,
        "mode": f"R={hidden}, {mode}",
    }


def marks(axes, marker):
    """Heights of the marks of a kind, apart from lines of reference."""
    found = [line for line in axes.lines if line.get_marker() == marker]
    return [line.get_ydata().tolist() for line in found]


def test_seeds_median_and_paper_of_one_cell():
    (axes,) = error_table([row()], no_binding_error=61.65).axes
    assert marks(axes, "_") == [[60, 62, 61]]
    assert marks(axes, "o") == [[61], [60.8]]
    assert axes.get_yscale() == "log" and axes.get_title() == MODE
    assert "%" in axes.get_ylabel() and "hidden units" in axes.get_xlabel()
    assert "61.65 %" in axes.texts[0].get_text()


def test_models_stand_apart_within_their_size_in_order():
    rows = [row(model, hidden) for hidden in (50, 20) for model in ("irnn", "lstm", "fast-weights")]
    (axes,) = error_table(rows).axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["20", "50"]
    filled = [
        line for line in axes.lines if line.get_marker() in "os^" and line.get_markersize() == 5
    ]
    places = [line.get_xdata()[0] for line in filled]
    assert len(set(places)) == 6
    assert sorted(round(place) for place in places) == [0, 0, 0, 1, 1, 1]


def test_a_panel_for_each_condition():
    rows = [row(), row(hidden=50), row(mode="fixed data")]
    panels = error_table(rows, no_binding_error=61.65).axes
    assert [axes.get_title() for axes in panels] == [MODE, "fixed data"]
    # Named once, in the right margin, though drawn in both.
    assert [text.get_text() for axes in panels for text in axes.texts if text.get_text()] == [
        "no binding\n61.65 %"
    ]


def test_no_error_and_no_paper():
    (axes,) = error_table([row(values=(0.0,), paper=None)]).axes
    (height,) = marks(axes, "o")
    floor = dict(
        zip([t.get_text() for t in axes.get_yticklabels()], axes.get_yticks(), strict=True)
    )
    assert height == [floor["0"]]
    one_in_20_000 = 0.005
    assert floor["0"] < one_in_20_000 < floor["0.01"] == 0.01
    assert marks(axes, "_") == []


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([], "1 to 7 models, not 0"),
        ([row(str(name)) for name in range(8)], "not 8"),
        ([row(), row()], "two rows of lstm with 20 units"),
    ],
)
def test_refused(rows, complaint):
    with pytest.raises(UserError, match=complaint):
        error_table(rows)
