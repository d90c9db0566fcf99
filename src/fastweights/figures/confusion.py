"""Which class was taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fastweights.errors import UserError
from fastweights.figures import style


@style.styled
def confusion_matrix(
    counts: Sequence[Sequence[int]], *, labels: Sequence[str] = (), title: str = ""
) -> Figure:
    """Draw how often each class was taken for each other; what was right is written, not coloured.

    Args:
        counts: [truth, answer].
        labels: of the classes; empty: their numbers.
        title: above.

    Raises:
        UserError: if the counts are no square, or the labels not theirs.

    Example:
        >>> figure = confusion_matrix([[9, 1], [0, 7]])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['9', '1', '7']
    """
    table = np.asarray(counts)
    classes = len(table)
    names = list(labels) or [str(number) for number in range(classes)]
    if table.shape != (classes, classes) or not classes or len(names) != classes:
        raise UserError(f"counts of shape {list(table.shape)} and {len(names)} labels do not fit")
    right = np.eye(classes, dtype=bool)
    wrong = np.where(right, 0, table)
    figure = style.figure(style.COLUMN, 3.2, title)
    axes = figure.subplots()
    cmap, norm, _ = style.colours(wrong.astype(float))
    image = axes.imshow(np.ma.masked_array(wrong, right), cmap=cmap, norm=norm)
    half = float(norm.vmax or 1.0) / 2
    for truth, answer in np.argwhere(table):
        count = int(table[truth, answer])
        dark = truth != answer and count > half
        axes.text(
            answer,
            truth,
            f"{count}",
            ha="center",
            va="center",
            fontsize=5 if truth == answer else 6,
            color="white" if dark else style.GREY if truth == answer else style.BLACK,
        )
    axes.set_xticks(range(classes), names)
    axes.set_yticks(range(classes), names)
    axes.set(xlabel="answer", ylabel="truth")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    style.colour_bar(image, axes, "wrong answers", ticks=MaxNLocator(integer=True))
    return figure
