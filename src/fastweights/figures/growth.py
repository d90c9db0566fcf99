"""How the time of a recurrence grows with the length of the sequence, for each way to run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from fastweights.errors import UserError
from fastweights.figures import scales, style


@style.styled
def growth(
    lengths: Sequence[int],
    milliseconds: Mapping[str, Sequence[float]],
    *,
    names: Mapping[str, str] | None = None,
    quantity: str = "forward and backward (ms)",
    title: str = "",
) -> Figure:
    """Draw time against length on two logarithmic axes.

    Args:
        lengths: steps T of the sequences measured.
        milliseconds: by variant, one figure for each length.
        names: what the legend calls the variants; None: by their own names.
        quantity: what is drawn over the length.
        title: above the panel.

    Raises:
        UserError: if there are no lengths, or a variant has not one figure for each.

    Example:
        >>> growth([100, 200], {"fused": [1.0, 2.0]}).axes[0].get_xscale()
        'log'
    """
    if not lengths or any(len(taken) != len(lengths) for taken in milliseconds.values()):
        raise UserError("growth takes one figure for each length, and at least one length")
    figure = style.figure(style.COLUMN, 2.6)
    axes = figure.subplots()
    for index, (name, taken) in enumerate(milliseconds.items()):
        label, marker = (names or {}).get(name, name), style.MARKERS[index]
        scales.curve(
            axes, np.array(lengths), np.array(taken), index, label=label, marker=marker, markevery=1
        )
    axes.set(xscale="log", xlabel="steps T", ylabel=quantity)
    scales.logarithmic(axes)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.xaxis.minorticks_off()
    style.shared_legend(figure, axes.get_legend_handles_labels()[0], title)
    return figure
