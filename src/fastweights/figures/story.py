"""One answer's reads over the words of its story: how much each read takes from what each word wrote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from fastweights.errors import UserError
from fastweights.figures import inside, style

SIZE, PAD, LINE = 7.0, 6.0, 440.0
"""Points: the type, what a cell has beyond its word, a line of text as wide as a page allows."""
ROW = 0.13
"""Inches, the height of a read's cells; the words have WORDS of it, and the space below a band GAP."""
WORDS, GAP = 1.3, 0.7


@style.styled
def read_grid(
    read_weights: Float[torch.Tensor, "reads past"] | Float[np.ndarray, "reads past"],
    words: Sequence[str],
    *,
    answer: str = "",
    probability: float | None = None,
    question: int | None = None,
    title: str = "",
) -> Figure:
    """Draw the story as lines of text, with a row of cells under each line for every read of the answering step.

    Source: Schlag et al. (2021), Figure 3.

    Args:
        read_weights: of the step that answers, as `trace.read_weights[row, step, :, :step + 1]`.
        words: what the steps read, the last of them the "?" that is answered.
        answer: the word that the model gave.
        probability: of that answer, 0 to 1.
        question: index of the question's first word; the question is bold. None: it follows the last ".",
            "<eos>", or answer to an earlier "?".
        title: above the story.

    Raises:
        UserError: if there are no words, weights and words differ in number, or weights are not finite.

    Example:
        >>> import torch
        >>> from fastweights.figures import read_grid
        >>> weights = torch.tensor([[0.9, 0.1, 0.0, 0.0], [0.0, 0.8, 0.1, 0.0]])
        >>> figure = read_grid(weights, ["john", "left", ".", "?"], answer="no", probability=0.5)
        >>> figure.axes[0].get_title(loc="left")
        'answer: no (50.0 %)'
    """
    weights = inside.array(torch.as_tensor(read_weights))
    if not words or not weights.size or weights.shape[1] != len(words):
        raise UserError(
            f"{weights.shape[0]} reads of {weights.shape[1]} steps do not go with {len(words)} words"
        )
    asked = _question(words) if question is None else question
    weight = ["bold" if place >= asked else "normal" for place in range(len(words))]
    widths = [_width(word, bold) for word, bold in zip(words, weight, strict=True)]
    lefts, bands = _wrap(widths)
    pitch = WORDS + len(weights) + GAP
    long = max(left + width for left, width in zip(lefts, widths, strict=True))
    line = max(long, LINE * style.COLUMN / style.PAGE)
    height = (bands[-1] + 1) * pitch * ROW + 0.9 + 0.2 * bool(title)
    figure = style.figure(style.PAGE * max(line / LINE, style.COLUMN / style.PAGE), height)
    axes = figure.subplots()
    cells = []
    for word, bold, left, width, band in zip(words, weight, lefts, widths, bands, strict=True):
        top = band * pitch
        axes.text(left + width / 2, top + WORDS / 2, word, fontsize=SIZE, fontweight=bold,
                  ha="center", va="center_baseline", parse_math=False)  # fmt: skip
        cells += [Rectangle((left, top + WORDS + r), width, 1) for r in range(len(weights))]
    cmap, norm, _ = style.colours(weights)
    grid = PatchCollection(cells, cmap=cmap, norm=norm, edgecolor="#CCCCCC", linewidth=0.4)
    grid.set_clip_on(False)  # or the cells at the ends lose half an edge
    grid.set_array(weights.T.ravel())
    axes.add_collection(grid, autolim=False)
    axes.set(xlim=(0, line), ylim=((bands[-1] + 1) * pitch - GAP, 0), xticks=[], ylabel="read")
    _number_reads(axes, len(weights), [band * pitch for band in range(bands[-1] + 1)])
    if answer:
        sure = "" if probability is None else f" ({100 * probability:.1f} %)"
        axes.set_title(f"answer: {answer}{sure}", loc="left", fontweight="bold")
    style.colour_bar(
        grid,
        axes,
        "read weight (dimensionless)",
        location="bottom",
        shrink=0.5,
        aspect=40,
        pad=0.15 / ((bands[-1] + 1) * pitch * ROW),
    )
    if title:
        figure.suptitle(title)
    return figure


def _question(words: Sequence[str]) -> int:
    """Find where the last question begins: after a sentence, a story, or an earlier question's one-word answer."""
    for place in range(len(words) - 2, -1, -1):
        if words[place] in (".", "<eos>"):
            return place + 1
        if words[place] == "?":
            return place + 2
    return 0


def _width(word: str, weight: str) -> float:
    """Measure a word's cell in points."""
    font = FontProperties(size=SIZE, weight=weight)
    return PAD + text_to_path.get_text_width_height_descent(word, font, ismath=False)[0]


def _wrap(widths: Sequence[float]) -> tuple[list[float], list[int]]:
    """Set cells in lines: where each begins, and its line.

    Example:
        >>> _wrap([200.0, 200.0, 100.0])
        ([0.0, 200.0, 0.0], [0, 0, 1])
    """
    lefts, bands, left, band = [], [], 0.0, 0
    for width in widths:
        if left and left + width > LINE:
            left, band = 0.0, band + 1
        lefts.append(left)
        bands.append(band)
        left += width
    return lefts, bands


def _number_reads(axes: Axes, reads: int, tops: Sequence[float]) -> None:
    ticks = [top + WORDS + read + 0.5 for top in tops for read in range(reads)]
    axes.set_yticks(ticks, [str(read + 1) for _ in tops for read in range(reads)])
    axes.tick_params(axis="y", length=0, pad=2, labelsize=6)
    axes.spines[:].set_visible(False)
