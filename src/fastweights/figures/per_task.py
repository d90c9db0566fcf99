"""Accuracy by task, a column of bars for each model: which tasks are solved, and which are not."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fastweights.errors import UserError
from fastweights.figures import style

SOLVED, FAILED = style.BLUE, style.VERMILLION
NAMES, COLUMN, LINE = 1.6, 1.8, 0.155
"""Inches: the tasks' names, a model's column where there is room, a task's line."""


@style.styled
def task_accuracy(
    accuracies: Sequence[float | None] | Mapping[str, Sequence[float | None]],
    tasks: Sequence[int],
    *,
    labels: Mapping[int, str] | None = None,
    overall: Mapping[str, float] | None = None,
    passing: float = 0.95,
    title: str = "",
) -> Figure:
    """Draw a line for each task and a column for each model, with the numbers beside the bars.

    Args:
        accuracies: 0 to 1, in the order of `tasks`, or such lists by name; None or NaN where a task had no question.
        tasks: their numbers.
        labels: what the tasks are called, by number, for example `data.babi.TASK_NAMES`.
        overall: accuracy over all answers by model's name, drawn under the tasks.
        passing: accuracy from which a task counts as solved; the others' bars have another colour. 0.95 is bAbI's.
        title: above the columns.

    Raises:
        UserError: if there are no models or tasks, or a model has not one accuracy for each task.

    Example:
        >>> figure = task_accuracy({"fwm": [1.0, 0.8]}, [1, 16], labels={16: "basic induction"})
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['1', 'basic induction  16']
    """
    models = accuracies if isinstance(accuracies, Mapping) else {"": accuracies}
    if not models or not tasks:
        raise UserError("accuracies by task take at least one model and one task")
    for name, values in models.items():
        if len(values) != len(tasks):
            raise UserError(
                f"accuracies of {name!r}: {len(values)} for {len(tasks)} tasks, not one each"
            )
    places = np.arange(len(tasks), dtype=float)
    names = [f"{(labels or {}).get(task, '')}  {task}".strip() for task in tasks]
    if overall:
        places, names = np.append(places, len(tasks) + 0.5), [*names, "all answers"]
    width = min(style.PAGE, NAMES + COLUMN * len(models))
    figure = style.figure(width, LINE * (places[-1] + 1) + 1.0)
    panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    letters = max(8, int((width - NAMES) / len(models) / 0.06))
    for axes, (name, values) in zip(panels, models.items(), strict=True):
        percent = 100 * np.asarray(values, dtype=float)
        if overall:
            percent = np.append(percent, 100 * overall.get(name, np.nan))
        _column(axes, places, percent, 100 * passing)
        heading = textwrap.fill(name, letters, break_long_words=False)
        axes.set_title(heading, loc="left", fontsize=7)
    panels[0].set_yticks(places, names)
    panels[0].set_ylim(places[-1] + 0.6, -0.6)
    figure.supxlabel("accuracy (%)", fontsize=8)
    style.shared_legend(
        figure,
        [
            Patch(color=SOLVED, label=f"solved (≥ {100 * passing:g} %)"),
            Patch(color=FAILED, label="not solved"),
        ],
        title,
    )
    return figure


def _column(
    axes: Axes,
    places: Float[np.ndarray, " lines"],
    percent: Float[np.ndarray, " lines"],
    passing: float,
) -> None:
    colours = [SOLVED if value >= passing else FAILED for value in percent]
    axes.barh(places, np.nan_to_num(percent), height=0.72, color=colours)
    for place, value in zip(places, percent, strict=True):
        text = "–" if np.isnan(value) else f"{value:.1f}" if value < 99.95 else "100"
        axes.text(104, place, text, va="center_baseline", fontsize=6.5)
    axes.set_xlim(0, 150)
    axes.set_xticks((0, 50, 100))
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=6)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_bounds(0, 100)
