"""Every figure at its smallest and at a middling size: without a warning, and everything on it can be read."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import smallest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from middling import MIDDLING
from smallest import SMALLEST, Draw

from fastweights import figures
from fastweights.figures import scales, style

CASES = {**{f"least: {name}": draw for name, draw in SMALLEST.items()}, **MIDDLING}


@pytest.mark.parametrize("name", CASES)
def test_all_that_is_written_can_be_read(name: str) -> None:
    figure = CASES[name]()
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # whatever the tests are run with
        figure.draw_without_rendering()
    page = Bbox.from_bounds(0, 0, *canvas.get_width_height())
    for text in _texts(figure):
        box = text.get_window_extent()
        assert page.padded(2).contains(box.x0, box.y0), text
        assert page.padded(2).contains(box.x1, box.y1), text
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            _assert_apart([text for text in _ticks(axis) if text.get_text()])
        _assert_apart([text for text in axes.texts if text.get_visible() and text.get_text()])
        assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()
        _assert_seen(axes)
    for one, other in itertools.pairwise(figure.legends[0].get_texts() if figure.legends else ()):
        assert not _overlap(one, other)


def _texts(figure: Figure) -> list[Text]:
    found = (each for each in figure.findobj(Text) if isinstance(each, Text))
    drawn = {
        id(text) for axes in figure.axes for a in (axes.xaxis, axes.yaxis) for text in _all_ticks(a)
    }
    ticks = [text for axes in figure.axes for a in (axes.xaxis, axes.yaxis) for text in _ticks(a)]
    others = [text for text in found if id(text) not in drawn]
    return [text for text in [*ticks, *others] if text.get_text() and text.get_visible()]


def _all_ticks(axis: Axis) -> list[Text]:
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    return [label for tick in ticks for label in (tick.label1, tick.label2)]


def _ticks(axis: Axis) -> list[Text]:
    """The labels of ticks within the limits."""
    if not axis.get_visible() or not axis.axes.axison:
        return []
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    return [
        tick.label1
        for tick in ticks
        if tick.label1.get_visible() and low - slack <= tick.get_loc() <= high + slack
    ]


def _overlap(one: Text, other: Text) -> bool:
    first, second = one.get_window_extent(), other.get_window_extent()
    shared = Bbox.intersection(first.padded(-0.5), second.padded(-0.5))
    # Boxes around slanted letters overlap while the letters do not.
    return shared is not None and not (one.get_rotation() % 90 or other.get_rotation() % 90)


def _assert_apart(texts: list[Text]) -> None:
    for one, other in itertools.pairwise(texts):
        assert not _overlap(one, other), (one, other)


def _assert_seen(axes: Axes) -> None:
    """Check that each line shows its points: by a mark, or by a stroke to a neighbour."""
    for line in axes.lines:
        there = np.isfinite(np.asarray(line.get_ydata(), dtype=float))
        if len(there) and there.any():
            strokes = line.get_linestyle() != "None" and bool((there[1:] & there[:-1]).any())
            assert strokes or line.get_marker() not in ("", "None"), line.get_label()


def test_what_holds_no_value_says_so() -> None:
    for axes in SMALLEST["training, nothing finite"]().axes:
        assert [text.get_text() for text in axes.texts] == ["no values"]
        assert not len(axes.get_xticks())


def test_every_function_that_draws_is_among_them() -> None:
    source = " ".join(_names(draw) for draw in CASES.values())
    drawing = set(figures.__all__) - {"Played", "Walk", "animate", "animate_episode", "save"}
    assert not {name for name in drawing if name not in source}


def _names(draw: Draw) -> str:
    """The names that a function uses, with those of the helpers that it calls."""
    found = list(draw.__code__.co_names)
    for name in draw.__code__.co_names:
        helper = getattr(smallest, name, None)
        found += helper.__code__.co_names if hasattr(helper, "__code__") else ()
    return " ".join(found)


def test_names_of_close_levels_lie_apart() -> None:
    axes = style.figure(3, 2).subplots()
    axes.set_ylim(0, 1)
    scales.levels(axes, {"low": 0.1, "one": 0.7, "other": 0.75})
    assert [text.get_va() for text in axes.texts] == ["center", "top", "bottom"]


@pytest.mark.parametrize(
    "values", [[0.3, 0.31], [1.5, 1.8], [3.0, 3.0], [7, 9], [0.02, 80], [1e-9, 1e5]]
)
def test_a_logarithmic_axis_has_numbers_enough_and_not_too_many(values: list[float]) -> None:
    axes = style.figure(3, 2).subplots()
    axes.plot(values)
    scales.logarithmic(axes)
    low, high = axes.get_ylim()
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert 2 <= sum(low <= tick <= high for tick in axes.get_yticks()) <= 9
    assert len(set(names)) == len(names) and low < min(values) <= max(values) < high


def test_an_error_of_zero_is_on_the_axis() -> None:
    axes = style.figure(3, 2).subplots()
    axes.plot([0.0, 2.0])
    scales.logarithmic(axes)
    assert axes.get_yscale() == "linear" and axes.get_ylim()[0] == 0


def test_symbols_give_way_to_numbers_where_there_is_no_room() -> None:
    axes = style.figure(7, 2).subplots(1, 3)[0]
    scales.symbols_below(axes, "kv" * 26 + "??q")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["10", "20", "30", "40", "50"]
    assert axes.get_xticks().tolist() == [9, 19, 29, 39, 49]


def test_a_title_that_is_wider_than_its_figure_has_lines() -> None:
    title = "fwm, metro maps (faithful): an episode on test map 0, reward 103.3"
    assert len(style.wrapped(title, style.COLUMN).splitlines()) == 2
    assert style.wrapped(title, style.PAGE) == title
