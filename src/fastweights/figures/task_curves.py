"""Learning curves by task, a small panel for each: which tasks a model learns early, late or not at all."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from fastweights.errors import UserError, check_choice
from fastweights.figures import scales, style
from fastweights.figures.comparison import all_have, draw_runs
from fastweights.figures.rows import Rows
from fastweights.figures.streams import AXES

ACROSS = 5
"""Panels in a line."""
LETTERS = 20
"""Of a line of a panel's title."""


@style.styled
def task_curves(
    runs: Mapping[str, Sequence[Rows]],
    tasks: Sequence[int],
    *,
    shown: Sequence[int] | None = None,
    labels: Mapping[int, str] | None = None,
    over: str = "step",
    title: str = "",
) -> Figure:
    """Draw the accuracy of each task while models learn, a panel for each task.

    Several seeds of a model are its mean ± one standard deviation, shaded.

    Args:
        runs: for each name in the legend, the metrics of its seeds: `step` and `seconds` with `per_task_accuracy`, 0 to
            1 in the order of `tasks` (None where a task had no question).
        tasks: their numbers.
        shown: those to draw; None: all.
        labels: what the tasks are called, by number, for example `data.babi.TASK_NAMES`.
        over: "step" or "minutes".
        title: above the panels.

    Raises:
        UserError: if there is no run, more than seven names, a run without accuracies by task or with others than of
            these tasks, or a task or an x axis that is unknown.

    Example:
        >>> rows = [{"step": s, "seconds": 30 * s, "per_task_accuracy": [s / 9, 1.0]} for s in range(9)]
        >>> figure = task_curves({"fwm": [rows]}, [1, 16], labels={16: "basic induction"})
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['1', '16 basic induction']
    """
    style.check_names("curves by task take", len(runs))
    check_choice("x axis", over, AXES)
    drawn = list(tasks if shown is None else shown)
    if not drawn or not set(drawn) <= set(tasks):
        raise UserError(f"the tasks are {', '.join(map(str, tasks))}, not {drawn}")
    if not all_have(_of(runs, 0), "accuracy"):
        raise UserError("the runs share no accuracy by task to draw")
    across = min(ACROSS, len(drawn))
    lines = -(-len(drawn) // across)
    width = max(style.COLUMN, style.PAGE * across / ACROSS)
    figure = style.figure(width, 1.25 * lines + 0.7)
    grid = figure.subplots(lines, across, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(drawn) :]:
        axes.remove()
    handles: list[Artist] = []
    for axes, task in zip(grid.flat, drawn, strict=False):
        curves = _of(runs, list(tasks).index(task))
        if any(np.isfinite(_values(rows)).any() for seeds in curves.values() for rows in seeds):
            draw_runs(axes, curves, "accuracy", over)
            scales.counted(axes, "", whole=over == "step")
            handles = handles or axes.get_legend_handles_labels()[0]
        else:  # whose axes are shared, so that they keep their ticks
            middle = {"transform": axes.transAxes, "ha": "center", "va": "center"}
            axes.text(0.5, 0.5, "no values", color=style.GREY, **middle)
        name = f"{task} {(labels or {}).get(task, '')}".strip()
        axes.set_title(textwrap.fill(name, LETTERS), loc="left", fontsize=6.5)
        axes.set(ylim=(0, 105), yticks=(0, 50, 100))
    for place in range(across):
        column = [axes for axes in grid[:, place] if axes.figure is not None]
        column[-1].tick_params(labelbottom=True)
    figure.supxlabel(AXES[over], fontsize=8)
    figure.supylabel("accuracy (%)", fontsize=8)
    style.shared_legend(figure, handles, title)
    return figure


def _values(rows: Rows) -> list[float]:
    return [row["accuracy"] for row in rows]


def _of(runs: Mapping[str, Sequence[Rows]], place: int) -> dict[str, list[Rows]]:
    """Return the rows of each run with the accuracy of one task alone."""
    key = "per_task_accuracy"
    found: dict[str, list[Rows]] = {}
    for name, seeds in runs.items():
        by_task = [[row for row in rows if key in row] for rows in seeds]
        if any(place >= len(row[key]) for rows in by_task for row in rows):
            raise UserError(f"a row of {name!r} has accuracies of fewer tasks than are named")
        found[name] = [
            [
                {**row, "accuracy": np.nan if row[key][place] is None else row[key][place]}
                for row in rows
            ]
            for rows in by_task
        ]
    return found
