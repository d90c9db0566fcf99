"""Learning curves of language models: perplexity by epoch and by time, the learning rate, where averaging begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastweights.errors import UserError, check_choice
from fastweights.figures import scales, style
from fastweights.figures.comparison import all_have, draw_runs
from fastweights.figures.rows import Rows, series

VALIDATION, TRAINING, RATE = "validation_perplexity", "train_cross_entropy", "learning_rate"
AXES = {"step": "epoch", "minutes": "training time (minutes)"}


@style.styled
def perplexity_curves(
    runs: Mapping[str, Sequence[Rows]],
    *,
    averaged: Mapping[str, Sequence[float]] | None = None,
    published: Mapping[str, Mapping[int, float]] | None = None,
    title: str = "",
) -> Figure:
    """Draw the training of one language model, or compare several.

    One run is shown with its perplexity on the training text (under dropout) beside that on the validation text, and
    its learning rate; several with their validation perplexity by epoch and by minutes. Seeds of a model are their
    mean ± one standard deviation, shaded down to the lowest seed at most. What was measured before any training is
    left out.

    Args:
        runs: for each name in the legend, the metrics of its seeds: `epoch` and `seconds` with `validation_perplexity`,
            `train_cross_entropy` (nats) and `learning_rate`. Seeds are averaged at the epochs that all of them have.
        averaged: for each name, the epochs at which its seeds went over to averaged SGD.
        published: by name and epoch, the validation perplexity that others report.
        title: above the panels.

    Raises:
        UserError: if there is no run, more than seven names, a run without an evaluation after training or without
            epochs, seeds without a common epoch, or an unknown name.

    Example:
        >>> rows = [{"epoch": e, "seconds": 9.0 * e, "validation_perplexity": 600 / (e + 1)} for e in range(9)]
        >>> figure = perplexity_curves({"awd-fwm": [rows], "awd-lstm": [rows]}, averaged={"awd-fwm": [6.0]})
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['epoch', 'training time (minutes)']
    """
    style.check_names("curves take", len(runs))
    for name in {**(averaged or {}), **(published or {})}:
        check_choice("run", name, runs)
    trained = {name: [_trained(name, rows) for rows in seeds] for name, seeds in runs.items()}
    if not all_have(trained, VALIDATION):
        raise UserError("a run has no validation perplexity after training")
    alone = sum(len(seeds) for seeds in runs.values()) == 1
    rated = alone and all_have(trained, RATE)
    figure = style.figure(style.PAGE, 2.6)
    left, right = figure.subplots(1, 2)
    first = next(iter(trained.values()))
    _curves(left, {"validation": first} if alone else trained, "step")
    if alone:
        _training(left, first[0])
    _published(left, published or {}, runs)
    if rated:
        _rate(right, first[0], bool(averaged and any(averaged.values())))
    else:
        _curves(right, trained, "minutes")
    scales.logarithmic(left)
    scales.counted(left, AXES["step"])
    if rated:
        scales.counted(right, AXES["step"])
    else:
        scales.logarithmic(right)
        scales.counted(right, AXES["minutes"], whole=False)
    for axes in (left, right) if rated else (left,):
        _switches(axes, averaged or {}, runs)
    for axes in (left, right):
        axes.set_xlim(left=0, right=1.05 * axes.dataLim.x1)
    _name_first_switch(left, averaged or {})
    style.shared_legend(figure, left.get_legend_handles_labels()[0], title)
    return figure


def _trained(name: str, rows: Rows) -> Rows:
    """Leave out what was measured before any training, and let epochs be the steps by which rows are found."""
    if any("epoch" not in row for row in rows):
        raise UserError(f"a row of {name!r} has no epoch")
    return [{**row, "step": row["epoch"]} for row in rows if row["epoch"] > 0]


def _curves(axes: Axes, runs: Mapping[str, Sequence[Rows]], clock: str) -> None:
    draw_runs(axes, runs, VALIDATION, clock, marked=True)
    axes.set_ylabel("validation perplexity")


def _training(axes: Axes, rows: Rows) -> None:
    """Add the perplexity on the text that is learned from."""
    epochs, loss = series(rows, TRAINING)
    if len(epochs):
        label = "training, under dropout"
        scales.curve(axes, epochs, np.exp(loss), 1, marked=True, label=label, zorder=2.5)
        axes.set_ylabel("perplexity")


def _rate(axes: Axes, rows: Rows, switched: bool) -> None:
    """Draw the learning rate; where averaged SGD begins, rates of two optimisers share an axis."""
    epochs, rates = series(rows, RATE)
    scales.curve(axes, epochs, rates, 0, marked=True, color=style.BLACK)
    axes.set_ylabel("learning rate")
    axes.set_yscale("log") if switched else axes.set_ylim(bottom=0)


def _published(
    axes: Axes, published: Mapping[str, Mapping[int, float]], names: Iterable[str]
) -> None:
    """Mark what is reported of the epochs that were trained, in the run's own colour."""
    last = axes.dataLim.x1
    for place, name in enumerate(names):
        within = {at: value for at, value in published.get(name, {}).items() if at <= last}
        if within:
            axes.plot([*within], [*within.values()], linestyle="none", marker=style.MARKERS[place],
                      markerfacecolor="white", markeredgecolor=style.PALETTE[place], markersize=5,
                      label="published", zorder=4)  # fmt: skip


def _switches(axes: Axes, averaged: Mapping[str, Sequence[float]], names: Iterable[str]) -> None:
    """Draw a line where a run went over to averaged SGD, in its own colour."""
    for place, name in enumerate(names):
        for epoch in averaged.get(name, ()):
            axes.axvline(epoch, color=style.PALETTE[place], linewidth=0.8, linestyle=":", zorder=1)


def _name_first_switch(axes: Axes, averaged: Mapping[str, Sequence[float]]) -> None:
    switched = [epoch for epochs in averaged.values() for epoch in epochs]
    if switched:
        first = min(switched)
        left, right = axes.get_xlim()
        beside, side = (-3, "right") if first > left + 0.1 * (right - left) else (3, "left")
        axes.annotate("averaged SGD", xy=(first, 1.0), xycoords=("data", "axes fraction"), xytext=(beside, -1),
                      textcoords="offset points", ha=side, va="top", rotation=90, fontsize=6.5,
                      color=style.GREY)  # fmt: skip
