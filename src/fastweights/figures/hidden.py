"""The hidden state, step by step, and how long the vector is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from fastweights.figures import inside, scales, style
from fastweights.nn.backbone import Trace


@style.styled
def hidden_trace(trace: Trace, symbols: Sequence[str], *, row: int = 0, title: str = "") -> Figure:
    """Draw the hidden state as a heat map, a column a step, over its Euclidean norm.

    Args:
        trace: of any backbone.
        symbols: the sequence, one symbol a step.
        row: of the batch.
        title: above the panels.

    Raises:
        UserError: if symbols or row do not fit the trace.

    Example:
        >>> import torch
        >>> from fastweights import FastWeightRNN
        >>> trace = FastWeightRNN(3, 8).trace(torch.eye(3)[None])
        >>> len(hidden_trace(trace, "a1?").axes[1].patches)
        3
    """
    inside.check(trace, symbols, row)
    h = inside.hidden(trace, row)
    figure = style.figure(style.COLUMN if len(symbols) <= 16 else style.PAGE, 3.0, title)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
    style.heat_map(above, h.T, r"hidden state $h_i(t)$")
    above.set_ylabel("hidden unit i")
    below.bar(range(len(symbols)), np.linalg.norm(h, axis=1), width=0.7, color=style.BLUE)
    below.set(ylabel=r"norm $\|h(t)\|$", xlabel="symbol read at step t")
    scales.symbols_below(below, symbols)
    above.tick_params(axis="x", length=0, labelbottom=False)
    return figure
