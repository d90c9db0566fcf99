"""Learning curves of runs on a stream: loss, accuracy and perplexity, over steps and over minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fastweights.errors import UserError, check_choice
from fastweights.figures import scales, style
from fastweights.figures.comparison import all_have, draw_runs
from fastweights.figures.curves import accuracy_axis
from fastweights.figures.rows import Rows

PANELS = {
    "train_loss": "training loss (nats)",
    "accuracy": "validation accuracy (%)",
    "perplexity": "validation perplexity",
}
AXES = {"step": "training step", "minutes": "training time (minutes)"}
PUBLISHED = (0, (4, 2))


@style.styled
def stream_curves(
    runs: Mapping[str, Sequence[Rows]],
    *,
    over: Sequence[str] = ("step", "minutes"),
    published: Mapping[str, Mapping[str, float]] | None = None,
    title: str = "",
) -> Figure:
    """Draw the training of one or several models: a line of panels over steps, one over the time it took.

    Several seeds of a model are its mean ± one standard deviation, shaded; where the axis may be logarithmic, the
    shade ends at the lowest seed. Over minutes, the mean stands at the mean of the seeds' times.

    Args:
        runs: for each name in the legend, the metrics of its seeds: `step` and `seconds` with `train_loss` (nats),
            `accuracy` (0 to 1) and `perplexity`. Seeds are averaged at the steps that all of them have; a panel that
            some run has nothing for is left out.
        over: "step", "minutes" or both: a line of panels each.
        published: by name and metric (`accuracy`, 0 to 1, or `perplexity`), what a paper reports of its test data.
        title: above the panels.

    Raises:
        UserError: if there is no run, more than seven names, a run without evaluations, seeds without a common step,
            rows without seconds, or a name or an x axis that is unknown.

    Example:
        >>> rows = [{"step": s, "seconds": 30 * s, "accuracy": s / 9, "perplexity": 9 / (s + 1)} for s in range(9)]
        >>> figure = stream_curves({"fwm": [rows]}, published={"fwm": {"accuracy": 0.9675}})
        >>> [axes.get_xlabel() for axes in figure.axes[::2]]
        ['training step', 'training time (minutes)']
    """
    style.check_names("curves take", len(runs))
    for name in over:
        check_choice("x axis", name, AXES)
    for name in published or {}:
        check_choice("run with published numbers", name, runs)
    shown = [key for key in PANELS if all_have(runs, key)]
    if not shown or not over:
        raise UserError("the runs share no training loss, accuracy or perplexity to draw")
    figure = style.figure(max(style.COLUMN, style.PAGE * len(shown) / 3), 2.0 * len(over) + 0.4)
    grid = figure.subplots(len(over), len(shown), squeeze=False)
    for line, clock in zip(grid, over, strict=True):
        for axes, key in zip(line, shown, strict=True):
            draw_runs(axes, runs, key, clock)
            for place, name in enumerate(runs):
                value = (published or {}).get(name, {}).get(key)
                if value is not None:
                    look = {"color": style.PALETTE[place], "linestyle": PUBLISHED}
                    height = value * (100 if key == "accuracy" else 1)
                    axes.axhline(height, linewidth=0.8, zorder=1.5, **look)
            accuracy_axis(axes) if key == "accuracy" else scales.positive(axes)
            axes.set_ylabel(PANELS[key])
            scales.counted(axes, AXES[clock], whole=clock == "step")
    handles = list(grid[0, 0].get_legend_handles_labels()[0])
    if published:
        look = {"color": style.GREY, "linestyle": PUBLISHED}
        handles.append(Line2D([], [], linewidth=0.8, label="paper, test data", **look))
    style.shared_legend(figure, handles, title)
    return figure
