"""How every figure looks: sizes of a paper's columns, colours that colour-blind readers can tell apart, small type."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypedDict, TypeVar

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import Normalize
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import NullFormatter

from fastweights.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")
Dashes = str | tuple[int, tuple[int, ...]]


class Look(TypedDict):
    """How a line is drawn, as keywords of `Axes.plot`."""

    color: str
    linestyle: Dashes


COLUMN, PAGE = 3.4, 7.0
"""Widths in inches: one column of a paper, the whole page."""

BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#000000", "#6E6E6E"
PALETTE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
"""Okabe and Ito's colours, without the yellow that white paper swallows."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Dashes, ...] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (3, 1)),
    (0, (1, 1)),
)

MAGNITUDES = 99.8
"""Percentile of a memory's magnitudes where its colour scale ends: a few outliers do not pale all the rest."""

RC: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "figure.titlesize": 9,
    "legend.title_fontsize": 9,
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


def figure(width: float, height: float, title: str = "") -> Figure:
    """Build an empty figure (inches) that lays itself out, under its title; it belongs to no window."""
    made = Figure(figsize=(width, height), layout="constrained")
    if title:
        made.suptitle(title)
    return made


def look(place: int) -> Look:
    """Return the colour and the dashes of one of a figure's lines.

    Example:
        >>> look(1)
        {'color': '#D55E00', 'linestyle': '--'}
    """
    return {"color": PALETTE[place], "linestyle": DASHES[place]}


def check_names(kind: str, count: int) -> None:
    """Raise `UserError` unless there are as many names as there are looks, or fewer, and at least one."""
    if not 1 <= count <= len(PALETTE):
        raise UserError(f"{kind} 1 to {len(PALETTE)} names, not {count}")


def colours(
    values: Float[np.ndarray, ...], percentile: float = 100.0
) -> tuple[str, Normalize, str]:
    """Choose a map and a scale: diverging about 0 where values have both signs, else light to dark from 0.

    Args:
        values: what will be shown.
        percentile: of their magnitudes, where the scale ends; below 100, a few outliers do not pale all the rest.

    Returns:
        the map's name, the scale, and which ends of the colour bar stand for more than they say ("neither", "max",
        "both").

    Example:
        >>> cmap, norm, _ = colours(np.array([-1.0, 3.0]))
        >>> cmap, norm.vmin, norm.vmax
        ('RdBu_r', -3.0, 3.0)
        >>> colours(np.array([0.5, 3.0]))[1].vmin
        0.0
    """
    magnitudes = np.abs(values)
    end = float(np.percentile(magnitudes, percentile)) or float(magnitudes.max()) or 1.0
    beyond = bool(magnitudes.max() > end)
    if values.min() < 0:
        return "RdBu_r", Normalize(-end, end), "both" if beyond else "neither"
    return "magma_r", Normalize(0.0, end), "max" if beyond else "neither"


def heat_map(
    axes: Axes,
    values: Float[np.ndarray, "rows columns"],
    label: str = "",
    *,
    scale: Float[np.ndarray, ...] | None = None,
    percentile: float = 100.0,
) -> AxesImage:
    """Draw a matrix in colours without a frame, its colour bar beside it.

    Args:
        axes: where to.
        values: masked where nothing is drawn.
        label: of the colour bar.
        scale: what the colours are chosen for (see `colours`); None: the values.
        percentile: of its magnitudes, where the scale ends.
    """
    cmap, norm, extend = colours(values if scale is None else scale, percentile)
    image = axes.imshow(values, cmap=cmap, norm=norm, aspect="auto")
    axes.spines[:].set_visible(False)
    colour_bar(image, axes, label, extend=extend)
    return image


def colour_bar(
    image: AxesImage | Collection, axes: Axes | Sequence[Axes], label: str, **options: Any
) -> None:
    """Add a colour bar beside the axes."""
    figure = image.figure
    assert figure is not None
    bar = figure.colorbar(image, ax=axes, **{"pad": 0.02, "aspect": 22, **options})
    bar.set_label(label)
    bar.outline.set_visible(False)


def level(axes: Axes, height: float, label: str) -> None:
    """Draw a horizontal line of reference, named in the right margin."""
    axes.axhline(height, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=2.5)
    axes.annotate(
        label,
        xy=(1.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(2, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        fontsize=6.5,
        color=GREY,
    )


def positive_scale(axes: Axes) -> None:
    """Set a logarithmic y axis for positive quantities, unless they span less than a factor of ten."""
    low, high = axes.dataLim.minposy, axes.dataLim.y1
    if not 10 * low < high < np.inf:
        return
    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    if high < 100 * low:  # at least two ticks with a number
        axes.set_ylim(10.0 ** np.floor(np.log10(low)), 10.0 ** np.ceil(np.log10(high)))


def legend_or_title(figure: Figure, axes: Axes, title: str) -> None:
    """Place the legend of the axes and the title above all panels; no legend of a single line."""
    handles = axes.get_legend_handles_labels()[0]
    if len(handles) > 1:
        shared_legend(figure, handles, title)
    elif title:
        figure.suptitle(title)


def shared_legend(figure: Figure, handles: Sequence[Artist | Container], title: str = "") -> None:
    """Place one legend above all panels, as many columns as fit, and the figure's title above that."""
    inches = [0.5 + 0.055 * len(str(handle.get_label())) for handle in handles]
    room = figure.get_figwidth()
    columns = len(handles) if sum(inches) <= room else max(1, int(room / max(inches)))
    figure.legend(handles=handles, title=title or None, loc="outside upper center", ncols=columns)


def symbol_ticks(axes: Axes, symbols: str) -> None:
    """Write a sequence's symbols under the x axis, one a step."""
    axes.set_xticks(range(len(symbols)), list(symbols))
    axes.tick_params(axis="x", length=0, labelsize=7 if len(symbols) <= 30 else 5.5)
