"""Learning curves of agents: the mean reward of an episode over updates or frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastweights.errors import UserError
from fastweights.figures import scales, style
from fastweights.figures.comparison import all_have, gather, mean_and_spread
from fastweights.figures.rows import Rows

PANELS = {"reward": "mean reward of an episode"}


@style.styled
def reward_curves(
    runs: Mapping[str, Sequence[Rows]],
    *,
    frames: Mapping[str, int] | None = None,
    levels: Mapping[str, Mapping[str, float]] | None = None,
    panels: Mapping[str, str] | None = None,
    clock: str = "update",
    title: str = "",
) -> Figure:
    """Draw the rewards of one or several models, the mean over a model's seeds ± one standard deviation.

    Args:
        runs: for each name in the legend, the metrics of its seeds: `step` with the keys of `panels`. Seeds are
            averaged at the steps that all of them have.
        frames: for each name, the frames of an update; the x axis then counts frames. None: updates.
        clock: what the x axis counts where it counts no frames.
        levels: for each panel's key, what to compare with, by name, such as the best possible reward: lines.
        panels: key of the metrics and what its axis is called, from left to right; None: the reward of evaluations.
        title: above the panels.

    Raises:
        UserError: if there is no run, more than seven names, or seeds without a common step; or the runs share none of
            the panels.

    Example:
        >>> seeds = [[{"step": s, "reward": r} for s, r in enumerate(row)] for row in ([-1, 0], [-1, 1])]
        >>> figure = reward_curves({"lstm": seeds}, frames={"lstm": 1000}, levels={"reward": {"best possible": 1.0}})
        >>> [float(y) for y in figure.axes[0].lines[0].get_ydata()]
        [-1.0, 0.5]
    """
    style.check_names("curves take", len(runs))
    wanted = PANELS if panels is None else panels
    shown = {key: label for key, label in wanted.items() if all_have(runs, key)}
    if not shown:
        raise UserError(f"the runs share no {' or '.join(wanted)} to draw")
    figure = style.figure(style.COLUMN if len(shown) == 1 else style.PAGE, 2.4)
    columns = figure.subplots(1, len(shown), squeeze=False)[0]
    unit = _unit(runs, frames or {})
    for axes, (key, label) in zip(columns, shown.items(), strict=True):
        for place, (name, seeds) in enumerate(runs.items()):
            steps, values = gather(name, seeds, key)
            at = steps if frames is None else steps * frames[name] / unit
            mean_and_spread(axes, name, at, values, place, positive=False)
        axes.set_ylabel(label)
        counted = "frames (million)" if unit > 1 else "frames"
        scales.counted(axes, clock if frames is None else counted, whole=unit == 1)
        _levels(axes, (levels or {}).get(key))
    style.legend_or_title(figure, columns[0], title)
    return figure


@style.styled
def reward_by_step(
    rewards: Mapping[str, Float[np.ndarray, "episodes steps"]],
    *,
    levels: Mapping[str, float] | None = None,
    title: str = "",
) -> Figure:
    """Draw what each step of an episode brings, the mean over episodes ± two standard errors: learning within them.

    Args:
        rewards: for each name in the legend, the reward of every step of many episodes.
        levels: rewards of a step to compare with, by name: lines.
        title: above the panel.

    Raises:
        UserError: if there is nothing to draw, or more than seven names.

    Example:
        >>> figure = reward_by_step({"fwm": np.array([[0.0, 10.0], [0.0, 0.0]])}, levels={"random moves": 1.5})
        >>> [float(y) for y in figure.axes[0].lines[0].get_ydata()]
        [0.0, 5.0]
    """
    style.check_names("rewards take", len(rewards))
    figure = style.figure(style.COLUMN, 2.4)
    axes = figure.subplots()
    least = min((levels or {}).values(), default=0.0)
    for place, (name, given) in enumerate(rewards.items()):
        steps, mean = np.arange(1, given.shape[1] + 1), given.mean(0)
        least = min(least, mean.min())
        error = 2 * given.std(0) / np.sqrt(len(given))
        scales.curve(axes, steps, mean, place, label=name, zorder=3)
        scales.spread(axes, steps, mean - error, mean + error, place)
    scales.counted(axes, "step of the episode")
    axes.set_ylabel("mean reward of a step")
    if least >= 0:
        axes.set_ylim(0, None)
    _levels(axes, levels)
    style.legend_or_title(figure, axes, title)
    return figure


def _unit(runs: Mapping[str, Sequence[Rows]], frames: Mapping[str, int]) -> int:
    """Return how many frames the axis counts as one: a million, where a run has that many in sight."""
    ends = [
        frames.get(name, 0) * row.get("step", 0)
        for name in runs
        for rows in runs[name]
        for row in rows
    ]
    return 10**6 if max(ends, default=0) >= 10**5 else 1


def _levels(axes: Axes, levels: Mapping[str, float] | None) -> None:
    named = {f"{name}\n{height:.3g}": height for name, height in (levels or {}).items()}
    minus = {name.replace("-", "\N{MINUS SIGN}"): height for name, height in named.items()}
    scales.levels(axes, minus)
