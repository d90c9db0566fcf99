"""A digit as it was seen: the path of the glimpses, what each showed, the belief after it, what was attended to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fastweights.errors import UserError
from fastweights.figures import style
from fastweights.tasks.glimpses import Glimpse

GAP = 1
"""Empty pixels between two glimpses of the strip."""


@style.styled
def glimpse_path(
    image: UInt8[np.ndarray, "side side"],
    path: Sequence[Glimpse | None],
    seen: Float[np.ndarray, "steps patch patch"],
    beliefs: Float[np.ndarray, "steps classes"],
    attention: Sequence[float] = (),
    *,
    title: str = "",
) -> Figure:
    """Draw one image's reading: the numbered windows over the digit; step by step what was seen and believed.

    Args:
        image: 0 (paper) to 255 (ink).
        path: each step's window; None where it was blank.
        seen: [steps, patch, patch], the pixels that each step showed, 0 to 1.
        beliefs: [steps, classes], each digit's probability after each glimpse.
        attention: each step's share of the last read, 0 to 1; empty for a model that does not attend.
        title: above the panels.

    Raises:
        UserError: if the steps of path, seen, beliefs and attention are not as many.

    Example:
        >>> path = [Glimpse(0, 0, 14), Glimpse(0, 0, 7), None]
        >>> seen, beliefs = np.zeros((3, 7, 7)), np.full((3, 10), 0.1)
        >>> figure = glimpse_path(np.zeros((28, 28), np.uint8), path, seen, beliefs)
        >>> [axes.get_ylabel() for axes in figure.axes[1:3]]
        ['seen', 'belief: digit']
    """
    steps = len(path)
    if not len(seen) == len(beliefs) == steps or len(attention) not in (0, steps):
        raise UserError(
            f"a path of {steps} steps does not go with {len(seen)} glimpses, {len(beliefs)} beliefs"
            f" and {len(attention)} shares of attention"
        )
    figure = style.figure(style.PAGE, 2.6, title)
    rows = [0.32, 1.6, 0.7] if len(attention) else [0.32, 1.6]
    grid = figure.add_gridspec(len(rows), 2, width_ratios=(1, 2.3), height_ratios=rows)
    _windows(figure.add_subplot(grid[:, 0]), image, path)
    strip = figure.add_subplot(grid[0, 1])
    _strip(strip, seen)
    below = figure.add_subplot(grid[1, 1], sharex=strip)
    _beliefs(below, beliefs)
    if len(attention):
        below.tick_params(axis="x", labelbottom=False)
        below = figure.add_subplot(grid[2, 1], sharex=strip)
        below.bar(range(steps), 100 * np.asarray(attention), width=0.7, color=style.BLUE)
        below.set_ylabel("share of the\nlast read (%)")
    below.set(xlabel="glimpse", xlim=(-0.5, steps - 0.5))
    below.set_xticks(range(steps), [str(step) for step in range(1, steps + 1)])
    return figure


def _windows(
    axes: Axes, image: UInt8[np.ndarray, "side side"], path: Sequence[Glimpse | None]
) -> None:
    """Draw the digit with each window's step in its middle, the coarse ones framed."""
    side = len(image)
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=400, extent=(0, side, side, 0))
    widest = max((view.side for view in path if view), default=0)
    for step, view in enumerate(path, start=1):
        if view is None:
            continue
        coarse = view.side == widest
        colour = style.VERMILLION if coarse else style.BLUE
        corner = (view.left + 0.15 * coarse, view.top + 0.15 * coarse)
        long = view.side - 0.3 * coarse
        look = {"linewidth": 1.4, "zorder": 3} if coarse else {"linewidth": 0.5, "zorder": 2}
        frame = Rectangle(corner, long, long, fill=False, edgecolor=colour, **look)
        axes.add_patch(frame)
        axes.text(
            view.left + view.side / 2,
            view.top + view.side / 2,
            str(step),
            color=colour,
            fontsize=8 if coarse else 7,
            fontweight="bold" if coarse else "normal",
            ha="center",
            va="center",
            zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
        )
    axes.set(xlim=(0, side), ylim=(side, 0), xticks=[], yticks=[])
    blank = [str(step) for step, view in enumerate(path, start=1) if view is None]
    blanks = f"; blank: {', '.join(blank)}" if blank else ""
    axes.set_xlabel(f"windows by step, red at half the\nresolution{blanks}", fontsize=7)
    axes.spines[:].set_visible(False)


def _strip(axes: Axes, seen: Float[np.ndarray, "steps patch patch"]) -> None:
    """Draw the glimpses side by side, each over its step."""
    steps, patch, _ = seen.shape
    padded = np.pad(seen, ((0, 0), (0, 0), (0, GAP)), constant_values=np.nan)
    strip = padded.transpose(1, 0, 2).reshape(patch, -1)[:, :-GAP]
    half = 0.5 * patch / (patch + GAP)
    extent = (-half, steps - 1 + half, patch, 0)
    axes.imshow(strip, cmap="gray_r", vmin=0, vmax=1, extent=extent, aspect="auto")
    for step in range(steps):
        frame = Rectangle(
            (step - half, 0), 2 * half, patch, fill=False, edgecolor=style.GREY, linewidth=0.4
        )
        axes.add_patch(frame)
    axes.set(yticks=[], ylabel="seen")
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.spines[:].set_visible(False)


def _beliefs(axes: Axes, beliefs: Float[np.ndarray, "steps classes"]) -> None:
    classes = beliefs.shape[1]
    image = axes.imshow(beliefs.T, cmap="magma_r", vmin=0, vmax=1, aspect="auto")
    axes.set_yticks(range(classes), [str(digit) for digit in range(classes)])
    axes.set_ylabel("belief: digit")
    axes.tick_params(axis="both", length=0)
    axes.spines[:].set_visible(False)
    style.colour_bar(image, axes, "probability")
