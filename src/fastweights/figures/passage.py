"""One model's surprise at each word of a text, and what it had read from its memory before one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from fastweights.errors import UserError
from fastweights.figures import inside, style
from fastweights.figures.page import Page, colour_bar
from fastweights.figures.surprise import GREYS, OUTLIERS, checked, mean


@style.styled
def passage(
    bits: Sequence[float],
    words: Sequence[str],
    *,
    read_weights: Float[torch.Tensor, "reads past"] | None = None,
    chosen: int | None = None,
    name: str = "",
    unit: str = "word",
    title: str = "",
) -> Figure:
    """Draw a text as lines of words, with the surprise at each word in cells below, and reads of the memory.

    Args:
        bits: the surprise at each word, -log₂ of the probability that the model gave it; NaN at words that were read
            before anything was predicted.
        words: of the text.
        read_weights: how much each read of the step that predicted the chosen word took from what was written at
            each word before it: `trace.read_weights[row, chosen - 1, :, :chosen]`. A read is drawn as shares of the
            largest of these. None: the surprise alone.
        chosen: place of the chosen word, 1 or more; it is bold, its cell has a border.
        name: of the model.
        unit: what the words are called, where they are pieces of words.
        title: above the text.

    Raises:
        UserError: if words and surprises differ in number or none is finite, or if the reads are not those of a
            chosen word.

    Example:
        >>> weights = torch.tensor([[0.9, 0.1], [0.0, 0.8]])
        >>> figure = passage([9.0, 2.0, 1.0], ["mr.", "smith", "said"], read_weights=weights, chosen=2)
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['surprise', 'read 1', 'read 2']
    """
    values = checked(name or "the model", bits, words)
    shares = _shares(read_weights, chosen, len(words))
    numbers = [f"read {read + 1}" for read in range(len(shares))]
    bold = () if chosen is None else (chosen,)
    page = Page(words, ["surprise", *numbers], bold=bold, until=chosen)
    figure, axes, bars = page.figure(1 + bool(numbers), title)
    heading = style.wrapped(mean(name, values, unit), page.width, 7)
    axes.set_title(heading, loc="left", fontsize=7)
    _, norm, beyond = style.colours(values[np.isfinite(values)], OUTLIERS)
    cells = page.cells(axes, values[None], GREYS, norm)
    colour_bar(cells, bars[0], "surprise (bits)", beyond)
    if numbers:
        reads = page.cells(axes, shares, "RdBu_r", Normalize(-1, 1), first=1)
        colour_bar(reads, bars[1], "share of the read's largest weight", "neither")
    if chosen is not None:
        page.number(axes, cells, chosen, 0, values[chosen], f"{values[chosen]:.1f}")
        page.border(axes, chosen, 0)
    return figure


def _shares(
    read_weights: Float[torch.Tensor, "reads past"] | None, chosen: int | None, words: int
) -> Float[np.ndarray, "reads words"]:
    """Return reads as shares of their largest weights, NaN from the chosen word on."""
    if chosen is not None and not 0 < chosen < words:
        raise UserError(f"the chosen word must be one of 1 to {words - 1}, not {chosen}")
    if read_weights is None:
        return np.empty((0, words))
    if read_weights.shape[1] != chosen:
        raise UserError(
            f"reads of {read_weights.shape[1]} words are not those before word {chosen}"
        )
    weights = inside.array(read_weights)
    largest = np.abs(weights).max(1, keepdims=True)
    shares = np.full((len(weights), words), np.nan)
    shares[:, :chosen] = weights / np.where(largest > 0, largest, 1.0)
    return shares
