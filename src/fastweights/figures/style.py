"""How every figure looks: sizes of a paper's columns, colours that colour-blind readers can tell apart, small type."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

P = ParamSpec("P")
R = TypeVar("R")

COLUMN, PAGE = 3.4, 7.0
"""Widths in inches: one column of a paper, the whole page."""

BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#000000", "#6E6E6E"
PALETTE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
"""Okabe and Ito's colours, without the yellow that white paper swallows."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (1, 1)))

RC: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "axes.grid": False,
    "image.interpolation": "nearest",
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,
    "svg.hashsalt": "fastweights",
}


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Run a function under the house style, whatever the reader's own matplotlib settings are."""

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(RC)
            return draw(*args, **kwargs)

    return inside


def figure(width: float, height: float) -> Figure:
    """Make an empty figure (inches) that lays itself out; it belongs to no window."""
    return Figure(figsize=(width, height), layout="constrained")


def colours(values: Float[np.ndarray, ...]) -> tuple[str, Normalize]:
    """Choose a map and a scale: diverging about 0 where values have both signs, else light to dark from 0.

    Example:
        >>> cmap, norm = colours(np.array([-1.0, 3.0]))
        >>> cmap, norm.vmin, norm.vmax
        ('RdBu_r', -3.0, 3.0)
        >>> colours(np.array([0.5, 3.0]))[1].vmin
        0.0
    """
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    if values.min(initial=0.0) < 0:
        return "RdBu_r", TwoSlopeNorm(0.0, -largest, largest)
    return "magma_r", Normalize(0.0, largest)


def level(
    axes: Axes, height: float, label: str, *, side: str = "right", colour: str = GREY
) -> None:
    """Draw a horizontal line of reference, named where it ends."""
    axes.axhline(height, color=colour, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    axes.annotate(
        label,
        xy=(1.0 if side == "right" else 0.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(-2 if side == "right" else 2, 2),
        textcoords="offset points",
        ha=side,
        va="bottom",
        fontsize=6.5,
        color=colour,
    )


def symbol_ticks(axes: Axes, symbols: str) -> None:
    """Put a sequence's symbols under the x axis, one a step."""
    axes.set_xticks(range(len(symbols)), list(symbols))
    axes.tick_params(axis="x", length=0, labelsize=7 if len(symbols) <= 30 else 5.5)
