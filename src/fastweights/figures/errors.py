"""The error of several models as they learn, where accuracies all come close to 100 %."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from fastweights.errors import UserError
from fastweights.figures import scales, style
from fastweights.figures.comparison import all_have, gather, mean_and_spread
from fastweights.figures.rows import Rows


@style.styled
def error_curves(
    runs: Mapping[str, Sequence[Rows]],
    *,
    tested: Mapping[str, Sequence[float]] | None = None,
    title: str = "",
) -> Figure:
    """Draw the evaluations of several models as errors in percent, on a logarithmic axis, and their test beside.

    Args:
        runs: for each name in the legend, the metrics of its seeds: `step` with `accuracy` (0 to 1).
        tested: for each name, its seeds' test errors in percent; drawn as marks in a panel of their own.
        title: above the panels.

    Raises:
        UserError: if there is no run, more than seven names, a run without evaluations, or seeds without a common
            step.

    Example:
        >>> rows = [{"step": s, "accuracy": a} for s, a in enumerate((0.1, 0.9, 0.98))]
        >>> [round(float(y)) for y in error_curves({"irnn": [rows]}).axes[0].lines[0].get_ydata()]
        [90, 10, 2]
    """
    style.check_names("a comparison takes", len(runs))
    if not all_have(runs, "accuracy"):
        raise UserError("a run has not been evaluated")
    figure = style.figure(style.PAGE if tested else style.COLUMN, 2.6)
    panels = figure.subplots(
        1, 2 if tested else 1, width_ratios=(2.2, 1) if tested else None, squeeze=False
    )[0]
    curves = panels[0]
    for place, (name, seeds) in enumerate(runs.items()):
        steps, accuracy = gather(name, seeds, "accuracy")
        mean_and_spread(curves, name, steps, 100 * (1 - accuracy), place, positive=True)
        if tested:
            values = tested[name]
            mark = {"color": style.PALETTE[place], "marker": style.MARKERS[place]}
            panels[1].plot([place] * len(values), values, linestyle="none", **mark)
    scales.counted(curves, "training step")
    curves.set_ylabel("validation error (%)")
    scales.logarithmic(curves)
    if tested:
        top = 1.1 * max((value for name in runs for value in tested[name]), default=0.0)
        panels[1].set(ylabel="test error (%)", xlim=(-0.5, len(runs) - 0.5), ylim=(0, top or 1))
        panels[1].set_xticks(range(len(runs)), runs, rotation=35, ha="right", fontsize=6)
    style.shared_legend(figure, curves.get_legend_handles_labels()[0], title)
    return figure
