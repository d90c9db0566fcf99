"""How every figure looks: sizes of a paper's columns, colours that colour-blind readers can tell apart, small type."""

from __future__ import annotations

import functools
import textwrap
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
from matplotlib.ticker import MaxNLocator

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
    """Run a function under the house style, whatever the reader's own matplotlib settings are.

    A panel of the figure that it returns says so where it has no finite value to show.
    """

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(RC)
            drawn = draw(*args, **kwargs)
            for axes in drawn.axes if isinstance(drawn, Figure) else ():
                _name_emptiness(axes)
            return drawn

    return inside


def _name_emptiness(axes: Axes) -> None:
    """Write into a panel without a finite value that it has none, and leave out ticks that stand for nothing."""
    if axes.images:
        shown = [image.get_array() for image in axes.images]
        hidden = [values is None or np.ma.getmaskarray(values).all() for values in shown]
        empty = all(hidden) and not axes.texts
    else:
        empty = bool(axes.lines) and not np.isfinite(axes.dataLim.x0)
        if empty:
            axes.set_xticks([])
            if not np.isfinite(axes.dataLim.y0):
                axes.set_yticks([])
    if empty:
        middle = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, "no values", color=GREY, **middle)


def figure(width: float, height: float, title: str = "") -> Figure:
    """Build an empty figure (inches) that lays itself out, under its title; it belongs to no window."""
    made = Figure(figsize=(width, height), layout="constrained")
    if title:
        made.suptitle(wrapped(title, width))
    return made


def wrapped(text: str, width: float, points: float = 9) -> str:
    """Break a text into lines that fit into a width (inches) in type of so many points.

    Example:
        >>> wrapped("fwm, Penn Treebank, test text", 1.5)
        'fwm, Penn Treebank,\\ntest text'
    """
    letters = max(8, int(72 * width / (0.55 * points)))
    return "\n".join(textwrap.fill(line, letters) for line in text.split("\n"))


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
    for axis in (axes.xaxis, axes.yaxis):  # rows and columns are counted
        axis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
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


def legend_or_title(figure: Figure, axes: Axes, title: str) -> None:
    """Place the legend of the axes and the title above all panels; no legend of a single line."""
    handles = axes.get_legend_handles_labels()[0]
    if len(handles) > 1:
        shared_legend(figure, handles, title)
    elif title:
        figure.suptitle(wrapped(title, figure.get_figwidth()))


def shared_legend(figure: Figure, handles: Sequence[Artist | Container], title: str = "") -> None:
    """Place one legend above all panels, as many columns as fit, and the figure's title above that."""
    inches = [0.5 + 0.055 * len(str(handle.get_label())) for handle in handles]
    room = figure.get_figwidth()
    columns = len(handles) if sum(inches) <= room else max(1, int(room / max(inches)))
    heading = wrapped(title, room) or None
    figure.legend(handles=handles, title=heading, loc="outside upper center", ncols=columns)
