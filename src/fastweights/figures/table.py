"""A table of errors by model and size, as a figure: every seed, the median, the published number."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fastweights.errors import UserError
from fastweights.figures import scales, style
from fastweights.figures.rows import Row

FLOOR = 0.002
"""In percent, less than one error in 20,000: where an error of 0 is drawn on the logarithmic axis."""


NARROW = 0.1
"""In percent: errors that are all above this are drawn on an axis of their own range."""


@style.styled
def error_table(
    rows: Sequence[Row], *, no_binding_error: float | None = None, title: str = ""
) -> Figure:
    """Draw test errors on a logarithmic axis: a panel for each condition, a group for each size, a mark for each model.

    Args:
        rows: recorded results with `model`, or a `label` that stands for it, `hidden` (units), `value` (error in
            percent), `median` and `by_seed` (each seed's `value`) where several seeds were run, `paper` (published
            error or None) and `mode`, whose words apart from `R=…` name the condition.
        no_binding_error: in percent, of a model that binds nothing; drawn as a line.
        title: above the panels.

    Raises:
        UserError: if there are no rows, more than seven models, or two rows of one model and size in a condition.

    Example:
        >>> row = {"model": "lstm", "hidden": 50, "value": 2.0, "paper": 1.85, "mode": "R=50, fresh data"}
        >>> error_table([row], no_binding_error=61.65).axes[0].get_title()
        'fresh data'
    """
    models = list(dict.fromkeys(_name(row) for row in rows))
    if not 1 <= len(models) <= len(style.PALETTE):
        raise UserError(
            f"a table of errors takes 1 to {len(style.PALETTE)} models, not {len(models)}"
        )
    conditions: dict[str, dict[tuple[str, int], Row]] = {}
    for row in rows:
        cells = conditions.setdefault(condition(row), {})
        if cells.setdefault((_name(row), row["hidden"]), row) is not row:
            raise UserError(f"two rows of {_name(row)} with {row['hidden']} units in one condition")
    sizes = sorted({row["hidden"] for row in rows})
    count = len(conditions)
    columns = min(count, 2)
    lines = -(-count // columns)
    figure = style.figure(style.COLUMN if count == 1 else style.PAGE, 2.4 * lines + 0.3)
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (name, cells) in zip(panels.flat, conditions.items(), strict=False):
        for index, model in enumerate(models):
            for place, size in enumerate(sizes):
                if (model, size) in cells:
                    shift = 0.8 * ((index + 0.5) / len(models) - 0.5)
                    _mark(axes, place + shift, cells[model, size], index)
        _axis(axes, sizes, rows, () if no_binding_error is None else (no_binding_error,))
        if no_binding_error is not None:
            label = f"no binding\n{no_binding_error:.4g} %"
            scales.levels(axes, {label if axes in panels[:, -1] else "": no_binding_error})
        axes.set_title(name)
    for axes in panels.flat[count:]:
        axes.remove()
    for axes in panels[:, 0]:
        axes.set_ylabel("test error (%)")
    style.shared_legend(figure, _legend(models), title)
    return figure


def condition(row: Row) -> str:
    """Return what a row's number was measured under, apart from the size.

    Example:
        >>> condition({"mode": "R=20, fresh data, 10,000 steps"})
        'fresh data, 10,000 steps'
    """
    return re.sub(r"\bR=\d+(,\s*)?", "", row.get("mode") or "").strip(" ,")


def _name(row: Row) -> str:
    return row.get("label") or row["model"]


def _seeds(row: Row) -> list[float]:
    entries = (row.get("by_seed") or {}).values()
    return [entry["value"] for entry in entries if entry["value"] is not None]


def _mark(axes: Axes, x: float, row: Row, index: int) -> None:
    colour, marker = style.PALETTE[index], style.MARKERS[index]
    seeds = _seeds(row)
    if len(seeds) > 1:
        axes.plot([x] * len(seeds), np.maximum(seeds, FLOOR), "_", color=colour, markersize=11)
    middle = row.get("median", row["value"])
    if middle is not None:  # None: every seed diverged
        axes.plot(x, max(middle, FLOOR), marker, color=colour, markersize=5, zorder=3)
    if row.get("paper") is not None:
        axes.plot(
            x,
            max(row["paper"], FLOOR),
            marker,
            markerfacecolor="none",
            markeredgecolor=style.GREY,
            markersize=7,
            zorder=2,
        )


def _axis(axes: Axes, sizes: Sequence[int], rows: Sequence[Row], also: tuple[float, ...]) -> None:
    drawn = [error for row in rows for error in (*_seeds(row), row["value"], row.get("paper"))]
    known = [error for error in drawn if error is not None]
    if min(known, default=0.0) < NARROW:
        axes.set(yscale="log", ylim=(FLOOR / 1.6, 160))
        ticks = {FLOOR: "0", 0.01: "0.01", 0.1: "0.1", 1: "1", 10: "10", 100: "100"}
        axes.set_yticks(list(ticks), list(ticks.values()))
    else:
        scales.logarithmic(axes, *known, *also)
    axes.set_xlim(-0.5, len(sizes) - 0.5)
    axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axes.tick_params(axis="x", length=0, labelbottom=True)
    axes.yaxis.minorticks_off()
    for border in np.arange(len(sizes) - 1) + 0.5:
        axes.axvline(border, color="#DDDDDD", linewidth=0.6, zorder=0)
    axes.set_xlabel("hidden units R")


def _legend(models: Sequence[str]) -> list[Line2D]:
    looks = list(zip(style.PALETTE, style.MARKERS, strict=True))
    marks = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=model)
        for model, (colour, marker) in zip(models, looks, strict=False)
    ]
    return [
        *marks,
        Line2D([], [], color=style.GREY, marker="_", linestyle="none", label="one seed"),
        Line2D([], [], markeredgecolor=style.GREY, markerfacecolor="none", marker="o", markersize=6,
               linestyle="none", label="paper"),
    ]  # fmt: skip
