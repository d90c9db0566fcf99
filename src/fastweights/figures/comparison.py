"""Several runs side by side: accuracy and loss by model, with the spread of their seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastweights.errors import UserError
from fastweights.figures import scales, style
from fastweights.figures.curves import accuracy_axis
from fastweights.figures.rows import Rows, series


@style.styled
def comparison(
    runs: Mapping[str, Sequence[Rows]],
    *,
    no_binding_ceiling: float | None = None,
    best_possible: float | None = None,
    title: str = "",
) -> Figure:
    """Draw the evaluations of several models: the mean over a model's seeds, ± one standard deviation shaded.

    The shade of a loss ends at the lowest seed, since on a logarithmic axis mean - sd may not exist.

    Args:
        runs: for each name in the legend, the metrics of its seeds (see `training_curves`): `step` with `accuracy`
            (0 to 1) and `cross_entropy` (nats). Seeds are averaged at the steps that all of them have.
        no_binding_ceiling: accuracy, 0 to 1, of a model that binds nothing.
        best_possible: accuracy, 0 to 1, of a perfect model.
        title: above the panels.

    Raises:
        UserError: if there is no run, more than seven names, a run without evaluations, or seeds without a common
            step.

    Example:
        >>> seeds = [[{"step": s, "accuracy": a} for s, a in enumerate(row)] for row in ([0.1, 0.9], [0.2, 1.0])]
        >>> figure = comparison({"fast weights": seeds})
        >>> [round(float(y)) for y in figure.axes[0].lines[0].get_ydata()]
        [15, 95]
    """
    style.check_names("a comparison takes", len(runs))
    panels = [key for key in ("accuracy", "cross_entropy") if all_have(runs, key)]
    if not panels:
        raise UserError("the runs share no accuracy or cross_entropy to compare")
    figure = style.figure(style.PAGE if len(panels) == 2 else style.COLUMN, 2.5)
    columns = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, key in zip(columns, panels, strict=True):
        draw_runs(axes, runs, key)
        scales.counted(axes, "training step")
    if panels[0] == "accuracy":
        accuracy_axis(columns[0], no_binding_ceiling, best_possible)
    if panels[-1] == "cross_entropy":
        columns[-1].set_ylabel("cross-entropy (nats)")
        scales.positive(columns[-1])
    style.shared_legend(figure, columns[0].get_legend_handles_labels()[0], title)
    return figure


def draw_runs(
    axes: Axes,
    runs: Mapping[str, Sequence[Rows]],
    key: str,
    clock: str = "step",
    *,
    marked: bool = False,
) -> None:
    """Draw a metric of each model over "step" or "minutes"; an accuracy in percent, all else is positive.

    `marked` curves have a mark at every point, if those are few.
    """
    for place, (name, seeds) in enumerate(runs.items()):
        at, values = gather(name, seeds, key)
        if clock == "minutes":
            # The mean of the seeds' times, where all of them have the metric.
            timed = [[row for row in rows if key in row and "seconds" in row] for rows in seeds]
            steps, seconds = gather(name, timed, "seconds")
            if not np.array_equal(steps, at):
                raise UserError(f"some rows of {name!r} have {key} but no seconds")
            at = seconds.mean(0) / 60
        positive = key != "accuracy"
        values = values * (1 if positive else 100)
        mean_and_spread(axes, name, at, values, place, positive=positive, marked=marked)


def mean_and_spread(
    axes: Axes,
    name: str,
    at: Float[np.ndarray, " points"],
    values: Float[np.ndarray, "seeds points"],
    place: int,
    *,
    positive: bool,
    marked: bool = False,
) -> None:
    """Draw a model's mean over its seeds in the look of its place, ± one standard deviation shaded, and name it.

    The shade of what must be positive ends at the lowest seed.
    """
    count, mean = len(values), values.mean(0)
    label = name if count == 1 else f"{name} ({count} seeds, ± sd)"
    scales.curve(axes, at, mean, place, marked=marked, label=label, zorder=3)
    if count > 1:
        sd = values.std(0, ddof=1)
        low = np.maximum(mean - sd, values.min(0)) if positive else mean - sd
        scales.spread(axes, at, low, mean + sd, place)


def gather(
    name: str, seeds: Sequence[Rows], key: str
) -> tuple[Float[np.ndarray, " steps"], Float[np.ndarray, "seeds steps"]]:
    """Stack a series over seeds, at the steps that all of them have."""
    found = [dict(zip(*series(rows, key), strict=True)) for rows in seeds]
    shared = sorted(set(found[0]).intersection(*found[1:]))
    if not shared:
        raise UserError(f"the runs of {name!r} have no step of {key} in common")
    return np.array(shared), np.array([[one[step] for step in shared] for one in found])


def all_have(runs: Mapping[str, Sequence[Rows]], key: str) -> bool:
    """Return whether every seed of every model has values of a metric."""
    return all(
        seeds and all(len(series(rows, key)[0]) for rows in seeds) for seeds in runs.values()
    )
