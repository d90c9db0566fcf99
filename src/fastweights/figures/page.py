"""Words set in lines, with rows of cells under each line: the page on which pictures of a text are drawn."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from fastweights.figures import style
from fastweights.figures.fonts import BOX, families, family_of

SIZE, SMALL, PAD, LINE = 7.0, 5.0, 6.0, 440.0
"""Points: the words' type, the type within cells, what a cell has beyond its word, a line as wide as a page allows."""
ROW = 0.13
"""Inches, the height of a cell; the words have WORDS of it, and the space below a line GAP."""
WORDS, GAP = 1.3, 0.7
NUMBER = "−88.8"
"""The widest number within a cell."""
BARS = 2.7
"""Inches that a colour bar needs for what is written under it."""
MARGIN = 24.0
"""Points that a page leaves beside a line for the names of rows."""


class Page:
    """Where each word of a text stands, and the cells under it.

    Args:
        words: of any script; what no installed font has a picture of becomes a "▯", the end of a line a "↵".
        names: of the rows of cells under each line; the lines leave room for them.
        bold: places of the words that stand out; their cells have room for a number.
        until: the place of a word; the lines below its own have the first row of cells alone. None: all have all.

    Attributes:
        line: width of the longest line, or of a column of a paper, in points.
        width, height: of the whole in inches, without what stands around it.

    Example:
        >>> page = Page(["a", "b"], ["1", "2"])
        >>> page.lines, page.lefts[0], page.lefts[1] == page.widths[0]
        ([0, 0], 0.0, True)
    """

    def __init__(
        self,
        words: Sequence[str],
        names: Sequence[str],
        *,
        bold: Collection[int] = (),
        until: int | None = None,
    ) -> None:
        self.words = [drawable(word) for word in words]
        self.weights = ["bold" if place in bold else "normal" for place in range(len(words))]
        pairs = zip(self.words, self.weights, strict=True)
        least = {"bold": width(NUMBER, SMALL) + 2, "normal": 0.0}
        self.widths = [max(PAD + width(word, SIZE, heavy), least[heavy]) for word, heavy in pairs]
        beside = max(width(name, 6) for name in names)
        self._beyond = max(0.0, beside - MARGIN)
        self.lefts, self.lines = wrap(self.widths, LINE - self._beyond)
        ends = (left + wide for left, wide in zip(self.lefts, self.widths, strict=True))
        self.line = max(*ends, LINE * style.COLUMN / style.PAGE)
        last = self.lines[-1 if until is None else until]
        self.names = [names if line <= last else names[:1] for line in range(self.lines[-1] + 1)]
        pitches = [WORDS + len(rows) + GAP for rows in self.names]
        self.tops = [0.0, *itertools.accumulate(pitches)]

    @property
    def width(self) -> float:
        return style.PAGE * (self.line + self._beyond) / LINE

    @property
    def height(self) -> float:
        return ROW * (self.tops[-1] - GAP)

    def figure(self, bars: int, title: str = "") -> tuple[Figure, Axes, list[Axes]]:
        """Build a figure with the words written, and axes below them for colour bars side by side."""
        self.line = max(self.line, LINE * BARS * bars / style.PAGE)
        figure = style.figure(self.width, self.height + 0.9 + self.above(title), title)
        ratios = [4 if index % 2 else 1 for index in range(2 * bars + 1)]
        grid = figure.add_gridspec(
            2, len(ratios), height_ratios=(self.height, 0.07), width_ratios=ratios
        )
        axes = figure.add_subplot(grid[0, :])
        self.write(axes)
        return figure, axes, [figure.add_subplot(grid[1, 2 * bar + 1]) for bar in range(bars)]

    def above(self, title: str) -> float:
        """Return the inches that a title takes."""
        return 0.2 * len(style.wrapped(title, self.width).splitlines())

    def write(self, axes: Axes) -> None:
        """Write the words and the rows' names, and give the axes the page's extent."""
        for place, (word, weight) in enumerate(zip(self.words, self.weights, strict=True)):
            middle, top = self._middle(place), self._top(place)
            axes.text(middle, top + WORDS / 2, word, fontsize=SIZE, fontweight=weight,
                      fontfamily=families(word), ha="center", va="center_baseline", parse_math=False)  # fmt: skip
        axes.set(xlim=(0, self.line), ylim=(self.tops[-1] - GAP, 0), xticks=[])
        named = [
            (top + WORDS + row + 0.5, name)
            for top, names in zip(self.tops, self.names, strict=False)
            for row, name in enumerate(names)
        ]
        axes.set_yticks(*zip(*named, strict=True), parse_math=False)
        axes.tick_params(axis="y", length=0, pad=2, labelsize=6)
        axes.spines[:].set_visible(False)

    def cells(
        self,
        axes: Axes,
        values: Float[np.ndarray, "rows words"],
        cmap: str,
        norm: Normalize,
        *,
        first: int = 0,
    ) -> PatchCollection:
        """Draw a cell for every value that is no NaN, word by word, in the rows from `first` on."""
        boxes = [
            Rectangle((left, self._top(place) + WORDS + first + row), wide, 1)
            for place, (left, wide) in enumerate(zip(self.lefts, self.widths, strict=True))
            for row in np.flatnonzero(~np.isnan(values[:, place]))
        ]
        grid = PatchCollection(boxes, cmap=cmap, norm=norm, edgecolor="#CCCCCC", linewidth=0.4)
        grid.set_clip_on(False)  # or the cells at the ends lose half an edge
        grid.set_array(values.T[~np.isnan(values.T)])
        axes.add_collection(grid, autolim=False)
        return grid

    def number(
        self, axes: Axes, grid: PatchCollection, place: int, row: int, value: float, text: str
    ) -> None:
        """Write a number into the cell of a bold word, whose colour is that of `value`."""
        red, green, blue, _ = grid.to_rgba(np.array([value]))[0]
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        at = (self._middle(place), self._top(place) + WORDS + row + 0.5)
        axes.text(*at, text, fontsize=SMALL, color="white" if dark else "black",
                  ha="center", va="center_baseline")  # fmt: skip

    def border(self, axes: Axes, place: int, row: int) -> None:
        """Draw a border around a cell."""
        corner = (self.lefts[place], self._top(place) + WORDS + row)
        axes.add_patch(
            Rectangle(corner, self.widths[place], 1, fill=False, edgecolor=style.VERMILLION,
                      linewidth=1.2, zorder=3, clip_on=False)
        )  # fmt: skip

    def _middle(self, place: int) -> float:
        return self.lefts[place] + self.widths[place] / 2

    def _top(self, place: int) -> float:
        return self.tops[self.lines[place]]


def colour_bar(grid: PatchCollection, axes: Axes, label: str, extend: str) -> None:
    """Fill the axes with the colour bar of cells."""
    assert axes.figure is not None
    bar = axes.figure.colorbar(grid, cax=axes, orientation="horizontal", extend=extend)
    bar.set_label(label)
    bar.outline.set_visible(False)


def width(text: str, size: float, weight: str = "normal") -> float:
    """Measure a text in points."""
    font = FontProperties(family=families(text), size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]


def wrap(widths: Sequence[float], line: float = LINE) -> tuple[list[float], list[int]]:
    """Set cells in lines: where each begins, and its line.

    Example:
        >>> wrap([200.0, 200.0, 100.0])
        ([0.0, 200.0, 0.0], [0, 0, 1])
    """
    lefts, lines, left, row = [], [], 0.0, 0
    for wide in widths:
        if left and left + wide > line:
            left, row = 0.0, row + 1
        lefts.append(left)
        lines.append(row)
        left += wide
    return lefts, lines


def drawable(word: str) -> str:
    """Replace what no installed font has a picture of.

    Example:
        >>> drawable("naïve"), drawable("a\\n"), drawable("\\x07b")
        ('naïve', 'a↵', '▯b')
    """
    letters = word.replace("\n", "↵")
    return "".join(x if x.isprintable() and family_of(x) else BOX for x in letters)
