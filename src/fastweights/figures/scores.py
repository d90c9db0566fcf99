"""A table of models and tests, as a figure: the mean of each, in colour and in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fastweights.errors import UserError
from fastweights.figures import style
from fastweights.figures.rows import Row


@style.styled
def score_table(rows: Sequence[Row], *, chance: Row | None = None, title: str = "") -> Figure:
    """Draw a line for each model and a column for each test, the accuracy in percent in each field.

    Args:
        rows: recorded results with `model`, or a `label` that stands for it, `mode` (the test), `value` (accuracy in
            percent; None if every seed diverged) and `sd` (None for one seed).
        chance: accuracy in percent by test, of a model without memory: a line of its own.
        title: above.

    Raises:
        UserError: if there are no rows, or two of one model on one test.

    Example:
        >>> row = {"model": "lstm", "mode": "parity", "value": 99.96, "sd": 0.02}
        >>> figure = score_table([row], chance={"parity": 50.0})
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['100.0', '50.0']
    """
    tests = list(dict.fromkeys(row["mode"] for row in rows))
    names = list(dict.fromkeys(row.get("label") or row["model"] for row in rows))
    if not names:
        raise UserError("there are no rows to draw")
    table = np.full((len(names) + (chance is not None), len(tests)), np.nan)
    drawn: set[tuple[int, int]] = set()
    for row in rows:
        place = names.index(row.get("label") or row["model"]), tests.index(row["mode"])
        if place in drawn:
            raise UserError(f"two rows of {names[place[0]]} on {row['mode']}")
        drawn.add(place)
        table[place] = np.nan if row["value"] is None else row["value"]
    if chance is not None:
        table[-1] = [chance.get(test, np.nan) for test in tests]
        names.append("without memory")
    figure = style.figure(
        max(style.COLUMN, 1.6 + 0.75 * len(tests)), 0.9 + 0.19 * len(names), title
    )
    axes = figure.subplots()
    image = axes.imshow(
        np.ma.masked_invalid(table), cmap="viridis", vmin=0, vmax=100, aspect="auto"
    )
    for (line, column), value in np.ndenumerate(table):
        if np.isfinite(value):
            colour = "white" if value < 60 else style.BLACK
            look = {"ha": "center", "va": "center", "fontsize": 6.5, "color": colour}
            axes.text(column, line, f"{value:.1f}", **look)
        elif (line, column) in drawn:
            axes.text(column, line, "diverged", ha="center", va="center", fontsize=5.5)
    turned: dict[str, Any] = {"rotation": 30, "ha": "right"} if len(tests) > 3 else {}
    axes.set_xticks(range(len(tests)), tests, **turned)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    style.colour_bar(image, axes, "test accuracy (%)")
    return figure
