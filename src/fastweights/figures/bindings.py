"""Recall of many bindings: product keys beside joined ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from fastweights.figures import scales, style

NAMES = {"product": "k1 ⊗ k2", "concat": "[k1; k2]"}


@style.styled
def bindings(
    errors: Mapping[str, Float[np.ndarray, "first second"]],
    counts: Sequence[int],
    lost: Mapping[str, Sequence[Sequence[float]]],
) -> Figure:
    """Draw the error of every pair's recall, and the share of bindings lost as more are made.

    Args:
        errors: by "product" and "concat": ‖F k − v‖ for each pair of symbols.
        counts: bindings made.
        lost: by the same names, for each seed the percentage lost at each count.

    Example:
        >>> grids = {"product": np.zeros((2, 2)), "concat": np.ones((2, 2))}
        >>> figure = bindings(grids, [1, 4], {name: [[0.0, 50.0]] for name in grids})
        >>> figure.axes[0].get_title()
        'k1 ⊗ k2'
    """
    figure = style.figure(style.PAGE, 2.3)
    *grids, curve = figure.subplots(1, len(errors) + 1, width_ratios=[*[1] * len(errors), 1.3])
    top = max(grid.max() for grid in errors.values()) or 1.0
    for axes, (name, grid) in zip(grids, errors.items(), strict=True):
        axes.imshow(grid, vmin=0, vmax=top, cmap="viridis")
        axes.set_title(NAMES.get(name, name))
        axes.set_xlabel("symbol in k2")
        ticks = np.arange(len(grid))
        axes.set_xticks(ticks)
        axes.set_yticks(ticks)
    grids[0].set_ylabel("symbol in k1")
    figure.colorbar(
        grids[-1].images[0], ax=grids, label="error of the recall, ‖F k − v‖", shrink=0.8
    )
    for index, (name, seeds) in enumerate(lost.items()):
        look, marker = style.look(index), style.MARKERS[index]
        for values in seeds:
            faint = {"linestyle": "-", "alpha": 0.3, "linewidth": 0.7}
            scales.curve(curve, np.array(counts), np.array(values, dtype=float), index, **faint)
        mean, label = np.mean(seeds, 0), NAMES.get(name, name)
        every = 2 if len(counts) > 12 else 1
        curve.plot(counts, mean, label=label, marker=marker, markevery=every, **look)
    scales.counted(curve, "bindings made")
    curve.set(ylabel="bindings lost (%)", ylim=(-3, 103))
    curve.legend()
    return figure
