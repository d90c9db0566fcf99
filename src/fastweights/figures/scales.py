"""What stands on the axes of every figure: curves, ticks, lines of reference; legible for one value as for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator

from fastweights.figures import style

FEW = 12
"""Points below which each of a curve's has a mark, where marks are asked for."""
CLOSE = 0.16
"""Share of an axis below which the names of two lines of reference would lie over each other."""
ROUND = (
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 1.5, 2, 3, 5, 7),
    (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9),
)
"""Where numbers may stand on a logarithmic axis in each power of ten, the coarsest first."""


def curve(
    axes: Axes,
    at: Shaped[np.ndarray, " points"],
    values: Float[np.ndarray, " points"],
    place: int,
    *,
    marked: bool = False,
    **options: Any,
) -> Line2D:
    """Draw a line in the look of its place; a point that has no neighbour gets a mark, or it could not be seen.

    Args:
        axes: where to.
        at, values: the points; NaN is a gap.
        place: of the line among those of its figure.
        marked: mark every point, if they are few.
        options: of `Axes.plot`.

    Example:
        >>> axes = style.figure(3, 2).subplots()
        >>> curve(axes, np.arange(4), np.array([1.0, 2.0, np.nan, 3.0]), 0).get_markevery()
        [3]
    """
    there = np.isfinite(values)
    before, after = np.append(False, there[:-1]), np.append(there[1:], False)
    lone = np.flatnonzero(there & ~before & ~after).tolist()
    marks: dict[str, Any] = {}
    if marked and len(at) < FEW:
        marks = {"marker": style.MARKERS[place]}
    elif lone:
        # On the edge of the panel a mark is not to lose its half.
        marks = {"marker": style.MARKERS[place], "markevery": lone, "clip_on": False}
    (line,) = axes.plot(at, values, **{**style.look(place), **marks, **options})
    return line


def spread(
    axes: Axes,
    at: Shaped[np.ndarray, " points"],
    low: Float[np.ndarray, " points"],
    high: Float[np.ndarray, " points"],
    place: int,
) -> None:
    """Shade what lies around a curve; around a point alone it is a bar."""
    colour = style.PALETTE[place]
    if len(at) == 1:
        axes.vlines(at, low, high, color=colour, alpha=0.4, linewidth=3, zorder=2)
    else:
        axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0, zorder=2)


def counted(axes: Axes, label: str, *, whole: bool = True) -> None:
    """Name an x axis that counts, such as training steps, and tick it with few numbers, whole ones if so asked.

    One value alone has the only tick.
    """
    axes.set_xlabel(label)
    first, last = axes.dataLim.intervalx
    if first == last:
        axes.set_xticks([first], [f"{first:g}"])
    else:
        axes.xaxis.set_major_locator(
            MaxNLocator(nbins=5, steps=[1, 2, 5, 10], integer=whole, min_n_ticks=2)
        )


def levels(axes: Axes, heights: Mapping[str, float]) -> None:
    """Draw horizontal lines of reference, named in the right margin; the names of close ones lie apart.

    Call it when the limits of the y axis are set. A line outside them widens them.
    """
    if heights and axes.get_yscale() == "linear":
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, *heights.values()), max(high, *heights.values()))
    transform = axes.transScale + axes.transLimits
    order = sorted(heights, key=heights.__getitem__)
    places = [float(transform.transform((0, heights[name]))[1]) for name in order]
    for at, name in enumerate(order):
        above = at + 1 < len(order) and places[at + 1] - places[at] < CLOSE
        below = at > 0 and places[at] - places[at - 1] < CLOSE
        aligned = "center" if above == below else "top" if above else "bottom"
        axes.axhline(
            heights[name], color=style.GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=2.5
        )
        axes.annotate(
            name,
            xy=(1.0, heights[name]),
            xycoords=("axes fraction", "data"),
            xytext=(2, 0),
            textcoords="offset points",
            ha="left",
            va=aligned,
            fontsize=6.5,
            color=style.GREY,
        )


def positive(axes: Axes) -> None:
    """Set a logarithmic y axis for positive quantities, unless they span less than a factor of ten."""
    low, high = axes.dataLim.minposy, axes.dataLim.y1
    if not 10 * low < high < np.inf:
        return
    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    if high < 100 * low:  # at least two ticks with a number
        axes.set_ylim(10.0 ** np.floor(np.log10(low)), 10.0 ** np.ceil(np.log10(high)))


def logarithmic(axes: Axes, *also: float) -> None:
    """Set a logarithmic y axis with plain numbers, as many as its range needs; linear from 0 if something is 0.

    Args:
        axes: with what it is to show.
        also: heights that are to lie on it.

    Example:
        >>> axes = style.figure(3, 2).subplots()
        >>> _ = axes.plot([7.0, 9.0])
        >>> logarithmic(axes)
        >>> [text.get_text() for text in axes.get_yticklabels()]
        ['6', '7', '8', '9', '10']
    """
    low, high = (float(end) for end in axes.dataLim.intervaly)
    if not np.isfinite([low, high]).all():
        return
    low, high = min(low, *also, low), max(high, *also, high)
    if low <= 0:
        axes.set_ylim(0, 1.1 * high or 1)
        return
    room = max(1.25, (high / low) ** 0.06)
    low, high = low / room, high * room
    axes.set(yscale="log", ylim=(low, high))
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    found = [np.multiply.outer(powers, digits).ravel() for digits in ROUND]
    within = [ticks[(ticks >= low) & (ticks <= high)] for ticks in found]
    ticks = next((ticks for ticks in within if len(ticks) >= 3), within[-1])
    ticks = ticks[:: max(1, len(ticks) // 4)] if len(ticks) > 8 else ticks
    axes.yaxis.set_major_locator(FixedLocator(ticks.tolist()))
    axes.yaxis.set_major_formatter(lambda value, place: f"{value:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def symbols_below(axes: Axes, symbols: Sequence[str]) -> None:
    """Write a sequence's symbols under the x axis, one a step; steps are numbered where there is no room for them."""
    figure, spec = axes.figure, axes.get_subplotspec()
    assert isinstance(figure, Figure)
    columns = 1 if spec is None else spec.get_gridspec().ncols / len(spec.colspan)
    each = 0.75 * 72 * figure.get_figwidth() / columns / len(symbols)
    if each < 4.5:
        numbers = range(10, len(symbols) + 1, 10)
        axes.set_xticks([number - 1 for number in numbers], [str(number) for number in numbers])
        return
    axes.set_xticks(range(len(symbols)), list(symbols))
    axes.tick_params(axis="x", length=0, labelsize=7 if each >= 8 else 5.5)
