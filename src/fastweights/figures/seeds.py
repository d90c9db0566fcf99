"""Every seed of every cell, on a line of its own, with the median; and medians over two settings as a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from fastweights.errors import UserError
from fastweights.figures import style

FLOOR = 0.01
"""Per cent, below which an error stands at the left edge: of 20,000 sequences, two."""


@style.styled
def seeds(
    cells: Mapping[str, Sequence[float | None]],
    ceilings: Mapping[str, float] | None = None,
    title: str = "",
) -> Figure:
    """Draw test errors: a point a seed, a bar at the median, a tick where a model stands that binds nothing.

    Args:
        cells: by name, the test error in percent of each seed; None where training diverged, which counts as 100.
        ceilings: by the same names, the error without binding.
        title: above the figure.

    Raises:
        UserError: if there is no cell.

    Example:
        >>> figure = seeds({"inner": [0.1, 0.2], "flat": [60.0, None]}, {"inner": 61.65, "flat": 61.65})
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['inner', 'flat']
    """
    if not cells:
        raise UserError("there is no cell to draw")
    figure = style.figure(style.PAGE, 0.8 + 0.2 * len(cells), title)
    axes = figure.subplots()
    for place, (name, values) in enumerate(cells.items()):
        known = [100.0 if value is None else max(value, FLOOR) for value in values]
        axes.plot(known, [place] * len(known), "o", color=style.BLUE, alpha=0.6, markersize=5)
        lost = [100.0 for value in values if value is None]
        axes.plot(lost, [place] * len(lost), "x", color=style.VERMILLION, markersize=5)
        if known:
            axes.plot([median(known)], [place], "|", color=style.BLACK, markersize=11)
        if ceilings and name in ceilings:
            axes.plot([ceilings[name]], [place], "|", color=style.GREY, markersize=7)
    axes.set_xscale("log")
    axes.set(xlim=(FLOOR * 0.8, 130), xlabel="test error (%)", ylim=(len(cells) - 0.5, -0.5))
    axes.set_xticks([0.01, 0.1, 1, 10, 100], ["≤ 0.01", "0.1", "1", "10", "100"])
    axes.set_yticks(range(len(cells)), list(cells))
    return figure


@style.styled
def setting_map(
    values: Float[np.ndarray, "rows columns"],
    rows: tuple[str, Sequence[float]],
    columns: tuple[str, Sequence[float]],
    title: str = "",
) -> Figure:
    """Draw the median test error over two settings, its logarithm as colour and the number in each square.

    Args:
        values: errors in percent; NaN where none is known.
        rows, columns: a setting's name and its values.
        title: above the figure.

    Example:
        >>> figure = setting_map(np.array([[0.1, 60.0]]), ("decay", [0.95]), ("rate", [0.1, 1.0]))
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['0.1', '60']
    """
    figure = style.figure(style.COLUMN, 2.9, title)
    axes = figure.subplots()
    shown = np.log10(np.maximum(values, FLOOR))
    axes.imshow(shown, vmin=np.log10(FLOOR), vmax=2, cmap="viridis_r", aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            dark = shown[row, column] > 0.5
            text = f"{value:.2g}" if value < 10 else f"{value:.0f}"
            axes.text(
                column, row, text, ha="center", va="center", size=6, color="w" if dark else "k"
            )
    for axis, (name, ticks) in ((axes.yaxis, rows), (axes.xaxis, columns)):
        axis.set_ticks(range(len(ticks)), [f"{tick:g}" for tick in ticks])
        axis.set_label_text(name)
    return figure
