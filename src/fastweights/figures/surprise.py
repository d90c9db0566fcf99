"""How surprised two models are by each word of a text, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from fastweights.errors import UserError
from fastweights.figures import style
from fastweights.figures.page import Page, colour_bar

GREYS = "Greys"
"""The map of surprises, so that colour is left to what is to be seen in them."""
OUTLIERS = 98.0
"""Percentile of the values where a scale ends, so that one odd word does not pale all others."""


@style.styled
def surprise(
    bits: Mapping[str, Sequence[float]],
    words: Sequence[str],
    *,
    marked: float = 2.0,
    unit: str = "word",
    title: str = "",
) -> Figure:
    """Draw a text as lines of words, with both models' surprise at each word and the difference in cells below.

    The surprise is the word's cross-entropy, -log₂ of the probability that the model gave it. The
    difference is the second model's less the first's: below 0, and blue, where the second expected the word more.

    Source: Schlag et al. (2021), Figure 6.

    Args:
        bits: for each of two models, the surprise at each word; NaN at words that were read before
            anything was predicted.
        words: of the text.
        marked: bits by which the models must differ for a word to be bold, with its numbers in the cells; 2 is
            one model giving four times the probability of the other.
        unit: what the words are called, where they are pieces of words.
        title: above the text.

    Raises:
        UserError: if there are not two models, no word has been predicted, words and surprises differ in number, or
            a surprise is infinite.

    Example:
        >>> figure = surprise({"lstm": [3.0, 12.8], "fwm": [3.5, 4.3]}, ["said", "phillips"])
        >>> [text.get_text() for text in figure.axes[0].texts if text.get_weight() == "bold"]
        ['phillips']
    """
    if len(bits) != 2:
        raise UserError(f"surprise compares two models, not {len(bits)}")
    values = np.stack([checked(name, row, words) for name, row in bits.items()])
    first, second = bits
    difference = values[1:] - values[:1]
    far = [place for place in range(len(words)) if abs(difference[0, place]) >= marked]
    page = Page(words, [first, second, "difference"], bold=far)
    figure, axes, bars = page.figure(2, title)
    heading = "; ".join(mean(name, row, unit) for name, row in zip(bits, values, strict=True))
    axes.set_title(style.wrapped(heading, page.width, 7), loc="left", fontsize=7)
    _, norm, beyond = style.colours(values[np.isfinite(values)], OUTLIERS)
    cells = page.cells(axes, values, GREYS, norm)
    colour_bar(cells, bars[0], "surprise (bits)", beyond)
    # Differences of less than a few bits stay pale even where there are no others.
    seen = np.append(difference[np.isfinite(difference)], [2 * marked, -2 * marked])
    cmap, norm, beyond = style.colours(seen, OUTLIERS)
    apart = page.cells(axes, difference, cmap, norm, first=2)
    colour_bar(apart, bars[1], f"difference (bits): {second} less {first}", beyond)
    for place in far:
        for row, value in enumerate(values[:, place]):
            page.number(axes, cells, place, row, value, f"{value:.1f}")
        value = difference[0, place]
        page.number(axes, apart, place, 2, value, f"{value:+.1f}".replace("-", "−"))
    return figure


def checked(name: str, bits: Sequence[float], words: Sequence[str]) -> Float[np.ndarray, " words"]:
    """Check one model's surprises, and return them as an array.

    Raises:
        UserError: if they are not one a word, none is a number, or one is infinite.
    """
    values = np.asarray(bits, dtype=float)
    if values.shape != (len(words),):
        raise UserError(f"{values.size} surprises of {name!r} do not go with {len(words)} words")
    if not np.isfinite(values).any() or np.isinf(values).any():
        raise UserError(f"the surprises of {name!r} are not finite: there is nothing to draw")
    return values


def mean(name: str, bits: Float[np.ndarray, " words"], unit: str = "word") -> str:
    """Format how surprised a model is on the whole.

    Example:
        >>> mean("lstm", np.array([np.nan, 2.0, 4.0]))
        'lstm: 3.00 bits a word, perplexity 8.0'
    """
    average = np.nanmean(bits)
    return f"{name}{': ' if name else ''}{average:.2f} bits a {unit}, perplexity {2**average:.1f}"
