"""A table of accuracies by mode and model, as a figure: the mean, its spread, the published number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fastweights.errors import UserError
from fastweights.figures import style
from fastweights.figures.rows import Row

LINE = 0.2
"""Inches, a model's line."""
HOLLOW: dict[str, Any] = {
    "markersize": 8,
    "markerfacecolor": "none",
    "markeredgecolor": style.BLACK,
    "markeredgewidth": 0.8,
}


@style.styled
def mode_table(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Draw a panel for each mode and a line for each model, with the numbers beside them.

    Args:
        rows: recorded results with `model`, `mode`, `metric`, `value` (accuracy in percent; None if every seed
            diverged), `sd` (None for one seed), `seeds`, and `paper` (published accuracy in percent, or None).
        title: above the panels.

    Raises:
        UserError: if there are no rows, rows of several metrics, or two rows of one model in a mode.

    Example:
        >>> row = {"model": "fwm", "metric": "test_accuracy_percent", "sd": None, "seeds": 1, "paper": 96.75}
        >>> figure = mode_table([{**row, "mode": "QA", "value": 97.1}])
        >>> [text.get_text() for text in figure.axes[0].texts[3:]]
        ['97.10', '1', '96.75']
    """
    metrics = sorted({row["metric"] for row in rows})
    if len(metrics) != 1:
        raise UserError(f"a table of modes shows one metric, not {', '.join(metrics) or 'none'}")
    modes: dict[str, dict[str, Row]] = {}
    for row in rows:
        models = modes.setdefault(row["mode"], {})
        if models.setdefault(row["model"], row) is not row:
            raise UserError(f"two rows of {row['model']} in mode {row['mode']!r}")
    published = any(row["paper"] is not None for row in rows)
    lines = [len(models) for models in modes.values()]
    height = LINE * sum(lines) + 0.35 * len(modes) + 0.75
    figure = style.figure(style.PAGE, height)
    panels = figure.subplots(len(modes), 1, sharex=True, squeeze=False, height_ratios=lines)[:, 0]
    for axes, (mode, models) in zip(panels, modes.items(), strict=True):
        _panel(axes, list(models.values()), published)
        axes.set_title(mode, loc="left", fontweight="bold")
    panels[-1].set_xlabel("test accuracy (%)")
    here = {"color": style.BLUE, "markersize": 5, "label": "here, mean ± sd of the seeds"}
    marks = [here, *([{"label": "paper", **HOLLOW}] if published else [])]
    handles = [Line2D([], [], marker="o", linestyle="none", **mark) for mark in marks]
    style.shared_legend(figure, handles, title)
    return figure


COLUMNS = {"here": 68, "seeds": 98, "paper": 130}
"""The numbers beside a panel: the right edge of each column, in points from the panel."""


def _panel(axes: Axes, rows: Sequence[Row], published: bool) -> None:
    columns = {name: edge for name, edge in COLUMNS.items() if published or name != "paper"}
    for name, edge in columns.items():
        _write(axes, edge, -0.5, name, color=style.GREY, va="bottom")
    for line, row in enumerate(rows):
        value, sd, paper = row["value"], row["sd"], row["paper"]
        if value is not None and paper is not None:
            axes.plot([value, paper], [line, line], color=style.GREY, linewidth=0.8, zorder=1)
        if value is not None:
            look = {"color": style.BLUE, "markersize": 5, "capsize": 2, "elinewidth": 1}
            axes.errorbar(value, line, xerr=sd, fmt="o", zorder=3, **look)
        if paper is not None:
            axes.plot(paper, line, "o", zorder=4, **HOLLOW)
        spread = "" if sd is None else f" ± {sd:.2f}"
        texts = (
            "diverged" if value is None else f"{value:.2f}{spread}",
            str(row["seeds"]),
            "–" if paper is None else f"{paper:.2f}",
        )[: len(columns)]
        for edge, text in zip(columns.values(), texts, strict=True):
            _write(axes, edge, line, text, va="center_baseline")
    axes.set(xlim=(-2, 102), ylim=(len(rows) - 0.5, -0.5))
    axes.set_yticks(range(len(rows)), [row["model"] for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)


def _write(axes: Axes, edge: float, line: float, text: str, **options: Any) -> None:
    axes.annotate(
        text,
        xy=(1.0, line),
        xycoords=axes.get_yaxis_transform(),
        xytext=(edge, 0),
        textcoords="offset points",
        ha="right",
        fontsize=7,
        **options,
    )
