"""The fast weights A(t), matrix by matrix, as a sequence writes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fastweights.figures import inside, style
from fastweights.nn.backbone import Trace

MAX_PANELS = 24


@style.styled
def memory_evolution(
    trace: Trace, symbols: Sequence[str], *, row: int = 0, title: str = ""
) -> Figure:
    """Draw the fast memory after each traced step as small multiples on one colour scale.

    The scale ends where 99.8 % of the magnitudes do.

    Args:
        trace: of a backbone with a fast memory. Of more than 24 traced steps, 24 are drawn, evenly spaced, the last
            among them.
        symbols: the sequence, one symbol a step.
        row: of the batch.
        title: above the panels.

    Raises:
        UserError: if the trace holds no memory, or symbols or row do not fit it.

    Example:
        >>> import torch
        >>> from fastweights import FastWeightRNN
        >>> trace = FastWeightRNN(3, 8).trace(torch.eye(3)[None])
        >>> [axes.get_title(loc="left") for axes in memory_evolution(trace, "a1?").axes[:3]]
        ['a', '1', '?']
    """
    inside.check(trace, symbols, row)
    matrices = inside.memory(trace, row)
    count = len(matrices)
    drawn = np.unique(np.linspace(0, count - 1, min(count, MAX_PANELS)).round().astype(int))
    columns = len(drawn) if len(drawn) <= 6 else min(8, -(-len(drawn) // 2))
    lines = -(-len(drawn) // columns)
    cmap, norm, extend = style.colours(matrices, style.MAGNITUDES)
    side = min((style.PAGE - 0.9) / columns, 1.5)
    width = min(style.PAGE, max(style.COLUMN, columns * side + 0.9))
    figure = style.figure(width, lines * (side + 0.18) + 0.45 + 0.2 * bool(title), title)
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    image = None
    for axes, index in zip(panels.flat, drawn, strict=False):
        step = trace.memory_steps[index]
        image = axes.imshow(matrices[index], cmap=cmap, norm=norm, aspect="equal")
        axes.set_title(symbols[step], loc="left", pad=2, fontweight="bold")
        axes.set_title(f"t = {step + 1}", loc="right", pad=2, fontsize=6.5, color=style.GREY)
        axes.tick_params(length=2, labelsize=6)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(nbins=3, integer=True, min_n_ticks=1))
        axes.spines[:].set_visible(False)
    for axes in panels.flat[len(drawn) :]:
        axes.remove()
    if lines > 1:
        # The last row may be short: the panels above its gap carry their own ticks.
        for axes in panels.flat[len(drawn) - columns : len(drawn)]:
            axes.tick_params(labelbottom=True)
    figure.supxlabel("hidden unit read, j", fontsize=8)
    figure.supylabel("hidden unit written, i", fontsize=8)
    assert image is not None
    style.colour_bar(
        image,
        list(panels.flat[: len(drawn)]),
        r"fast weight $A_{ij}(t)$ (dimensionless)",
        shrink=0.9,
        extend=extend,
    )
    return figure
