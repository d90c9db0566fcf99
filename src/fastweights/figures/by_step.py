"""Answers by the step at which they are given: how far a model follows, and how soon it has learned in context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from fastweights.errors import UserError
from fastweights.figures import scales, style
from fastweights.figures.comparison import mean_and_spread
from fastweights.figures.curves import accuracy_axis

ByStep = Sequence[float | None]


@style.styled
def score_by_step(
    scores: Mapping[str, Sequence[ByStep]],
    *,
    measure: str = "accuracy",
    trained: int | None = None,
    levels: Mapping[str, float] | None = None,
    beside: Mapping[str, ByStep] | None = None,
    title: str = "",
) -> Figure:
    """Draw the score at each step of a sequence, the mean over a model's seeds ± one standard deviation shaded.

    Args:
        scores: for each name in the legend, the scores of its seeds by step; None where nothing is asked for.
        measure: "accuracy", 0 to 1 and drawn in percent, or what else is scored, above 0.
        trained: steps of a sequence in training: a line behind them, if there are more.
        levels: scores to compare with, by name: lines.
        beside: scores by step to compare with, by name: further curves.
        title: above the panel.

    Raises:
        UserError: if there is nothing to draw, more than seven names, or seeds of several lengths.

    Example:
        >>> figure = score_by_step({"lstm": [[1.0, None, 0.5], [1.0, None, 1.0]]}, trained=2)
        >>> [(float(x), float(y)) for x, y in figure.axes[0].lines[0].get_xydata()]
        [(1.0, 100.0), (3.0, 75.0)]
    """
    curves = {**scores, **{name: [curve] for name, curve in (beside or {}).items()}}
    style.check_names("curves take", len(curves))
    figure = style.figure(style.PAGE, 2.5)
    axes = figure.subplots()
    percent = measure == "accuracy"
    last = 1
    for place, (name, seeds) in enumerate(curves.items()):
        at, values = _stacked(name, seeds)
        last = max(last, int(at[-1]))
        mean_and_spread(
            axes, name, at, values * (100 if percent else 1), place, positive=not percent
        )
    scales.counted(axes, "step at which it is asked")
    named = {name: (100 if percent else 1) * level for name, level in (levels or {}).items()}
    if percent:
        accuracy_axis(axes)
        named = {f"{name}\n{level:.3g} %": level for name, level in named.items()}
    else:
        axes.set_ylabel(measure.replace("_", " "))
        scales.logarithmic(axes, *(level for level in named.values() if level))
    scales.levels(axes, {name: level for name, level in named.items() if percent or level})
    if trained is not None and trained < last:
        axes.axvline(trained + 0.5, color=style.GREY, linewidth=0.8, linestyle=(0, (1, 2)))
        axes.annotate(
            "as trained", (trained + 0.5, 0.02), xycoords=("data", "axes fraction"),
            xytext=(-2, 0), textcoords="offset points", ha="right", fontsize=6.5, color=style.GREY,
        )  # fmt: skip
    style.legend_or_title(figure, axes, title)
    return figure


def _stacked(
    name: str, seeds: Sequence[ByStep]
) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, "seeds points"]]:
    """Return the steps where something is asked for, from 1, and the scores of all seeds there."""
    if not seeds or len({len(seed) for seed in seeds}) != 1:
        raise UserError(f"the runs of {name!r} are none, or of several lengths")
    table = np.array(
        [[np.nan if score is None else score for score in seed] for seed in seeds], float
    )
    asked = np.isfinite(table).all(0)
    if not asked.any():
        raise UserError(f"the runs of {name!r} are asked for nothing")
    return 1.0 + np.flatnonzero(asked), table[:, asked]
