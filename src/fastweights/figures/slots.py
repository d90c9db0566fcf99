"""Accuracy by the pair that was asked for: what is forgotten first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from fastweights.errors import UserError
from fastweights.figures import style
from fastweights.figures.curves import accuracy_axis


@style.styled
def slot_accuracy(
    accuracies: Sequence[float] | Mapping[str, Sequence[float]],
    *,
    no_binding_ceiling: float | None = None,
    best_possible: float | None = None,
    title: str = "",
) -> Figure:
    """Draw a bar for each pair of the sequence, oldest first.

    Args:
        accuracies: 0 to 1, by slot, or such lists by model's name, drawn side by side.
        no_binding_ceiling: accuracy, 0 to 1, of a model that binds nothing.
        best_possible: accuracy, 0 to 1, of a perfect model.
        title: above the bars.

    Raises:
        UserError: if there are no slots, more than seven models, or models with different numbers of slots.

    Example:
        >>> [float(bar.get_height()) for bar in slot_accuracy([0.5, 1.0]).axes[0].patches]
        [50.0, 100.0]
    """
    models = accuracies if isinstance(accuracies, Mapping) else {"": accuracies}
    counts = {len(slots) for slots in models.values()}
    if len(counts) != 1 or 0 in counts or len(models) > len(style.PALETTE):
        raise UserError(
            f"slot accuracies are 1 to {len(style.PALETTE)} lists of one length, at least 1;"
            f" got {len(models)} of lengths {sorted(counts)}"
        )
    slots, width = counts.pop(), 0.8 / len(models)
    bars = slots * len(models)
    figure = style.figure(style.COLUMN if bars <= 13 else style.PAGE, 2.2)
    axes = figure.subplots()
    places = np.arange(slots)
    for index, (name, values) in enumerate(models.items()):
        percent = 100 * np.asarray(values, dtype=float)
        shift = (index - (len(models) - 1) / 2) * width
        drawn = axes.bar(places + shift, percent, width, color=style.PALETTE[index], label=name)
        if len(models) == 1 and slots <= 6:  # where they fit into a bar
            for bar, value in zip(drawn, percent, strict=True):
                at, tall = bar.get_x() + width / 2, value > 12
                axes.annotate(
                    f"{value:.2f}".rstrip("0").rstrip("."), (at, value), (0, -1 if tall else 1),
                    textcoords="offset points", ha="center", va="top" if tall else "bottom",
                    color="white" if tall else style.BLACK, fontsize=6.5,
                )  # fmt: skip
    accuracy_axis(axes, no_binding_ceiling, best_possible)
    axes.set_xlim(-0.6, slots - 0.4)
    axes.set_xticks(places, [str(slot + 1) for slot in places])
    axes.set_xlabel("pair asked for (1 = oldest)")
    if len(models) > 1:
        style.shared_legend(figure, axes.get_legend_handles_labels()[0], title)
    elif title:
        axes.set_title(title)
    return figure
