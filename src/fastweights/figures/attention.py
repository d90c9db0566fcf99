"""Attention over the past: how much of each read comes from what each earlier step wrote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastweights.figures import inside, scales, style
from fastweights.nn.backbone import Trace


@style.styled
def attention(
    trace: Trace, symbols: Sequence[str], *, row: int = 0, read: int = -1, title: str = ""
) -> Figure:
    """Draw the read weights as a grid, a line for each reading step, over the shares of the last read.

    The grid holds the weights themselves, η λ^(t-1-τ) ⟨h(τ), h_s(t)⟩ for the fast-weights RNN; what a read cannot see
    is white. The bars are the last line over the sum of its magnitudes, in percent.

    Args:
        trace: of a backbone that attends to its past.
        symbols: the sequence, one symbol a step.
        row: of the batch.
        read: which read of a step (the inner step s of the fast-weights RNN, counted from 0); -1 is the last.
        title: above the panels.

    Raises:
        UserError: if the trace holds no read weights, or symbols, row or read do not fit it.

    Example:
        >>> import torch
        >>> from fastweights import FastWeightRNN
        >>> trace = FastWeightRNN(3, 8).trace(torch.eye(3)[None])
        >>> bars = attention(trace, "a1?").axes[1].patches
        >>> round(sum(bar.get_height() for bar in bars))
        100
    """
    inside.check(trace, symbols, row)
    weights = inside.read_weights(trace, row, read)
    steps = len(symbols)
    narrow = steps <= 16
    figure = style.figure(style.COLUMN if narrow else style.PAGE, 4.0 if narrow else 7.2, title)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3 if narrow else 4.5, 1))
    _grid(above, weights, symbols)
    heights = 100 * weights[-1] / (np.abs(weights[-1]).sum() or 1.0)
    below.bar(range(steps), heights, width=0.7, color=style.BLUE)
    below.axhline(0, color=style.BLACK, linewidth=0.6)
    below.set(ylabel="share of the\nlast read (%)", xlabel="symbol that wrote, at step τ")
    below.set_ylim(min(0.0, 1.15 * heights.min()), max(1.0, 1.15 * heights.max()))
    scales.symbols_below(below, symbols)
    above.tick_params(axis="x", length=0, labelbottom=False)
    return figure


def _grid(axes: Axes, weights: Float[np.ndarray, "time past"], symbols: Sequence[str]) -> None:
    steps = len(symbols)
    # A memory that is written before it is read shows a step to itself.
    own = 0 if np.diagonal(weights).any() else -1
    seen = np.tril(np.ones((steps, steps), dtype=bool), own)
    drawn = np.ma.masked_array(weights, ~seen)
    style.heat_map(axes, drawn, "read weight (dimensionless)", scale=weights)
    axes.set_yticks(range(steps), list(symbols))
    axes.tick_params(axis="y", length=0, labelsize=7 if steps <= 30 else 5.5)
    axes.set_ylabel("symbol that reads, at step t")
