"""One answer's reads over the words of its story: how much each read takes from what each word wrote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure

from fastweights.errors import UserError
from fastweights.figures import inside, style
from fastweights.figures.page import Page


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
    numbers = [str(read + 1) for read in range(len(weights))]
    page = Page(words, numbers, bold=range(asked, len(words)))
    figure = style.figure(page.width, page.height + 0.99 + page.above(title), title)
    axes = figure.subplots()
    page.write(axes)
    cmap, norm, _ = style.colours(weights)
    grid = page.cells(axes, weights, cmap, norm)
    axes.set_ylabel("read")
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
        pad=0.15 / (page.height + 0.09),
    )
    return figure


def _question(words: Sequence[str]) -> int:
    """Find where the last question begins: after a sentence, a story, or an earlier question's one-word answer."""
    for place in range(len(words) - 2, -1, -1):
        if words[place] in (".", "<eos>"):
            return place + 1
        if words[place] == "?":
            return place + 2
    return 0
