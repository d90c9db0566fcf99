"""Training curves of one run: loss, accuracy between its ceilings, gradient norms."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastweights.errors import UserError, check_choice
from fastweights.figures import scales, style
from fastweights.figures.rows import Rows, series

SCALES = ("auto", "log", "linear")


@style.styled
def training_curves(
    rows: Rows,
    *,
    no_binding_ceiling: float | None = None,
    best_possible: float | None = None,
    loss_scale: str = "auto",
    title: str = "",
) -> Figure:
    """Draw one run's training.

    Args:
        rows: the run's metrics, in order. Of each row `step` and, as far as there: `train_loss` and `cross_entropy`
            (nats), `train_accuracy` and `accuracy` (0 to 1), `train_gradient_norm` (of all weights),
            `fast_gradient_norm` and `slow_gradient_norm`. A panel whose keys no row has is left out.
        no_binding_ceiling: accuracy, 0 to 1, of a model that binds nothing; drawn as a line.
        best_possible: accuracy, 0 to 1, of a perfect model; drawn as a line.
        loss_scale: "log", "linear", or "auto": logarithmic if the losses span more than a factor of ten.
        title: above the panels.

    Raises:
        UserError: if no row has anything to draw, or for an unknown scale.

    Example:
        >>> rows = [{"step": s, "train_loss": 2 / (s + 1), "accuracy": 1 - 1 / (s + 1)} for s in range(9)]
        >>> [axes.get_ylabel() for axes in training_curves(rows, no_binding_ceiling=0.38).axes]
        ['cross-entropy (nats)', 'accuracy (%)']
    """
    check_choice("scale of the loss", loss_scale, SCALES)
    keys = {key for row in rows for key in row}
    panels = [panel for panel in (LOSS, ACCURACY, GRADIENTS) if keys & panel.keys()]
    if not panels:
        raise UserError("the metrics hold no loss, accuracy or gradient norm to draw")
    figure = style.figure(max(style.COLUMN, style.PAGE * len(panels) / 3), 2.3, title)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw(axes, rows, panel, scale=100 if panel is ACCURACY else 1)
        if panel is LOSS:
            axes.set_ylabel("cross-entropy (nats)")
            scales.positive(axes) if loss_scale == "auto" else axes.set_yscale(loss_scale)
        elif panel is ACCURACY:
            accuracy_axis(axes, no_binding_ceiling, best_possible)
        else:
            axes.set_ylabel("gradient norm")
            scales.positive(axes)
    return figure


LOSS = {"train_loss": "training", "cross_entropy": "evaluation"}
ACCURACY = {"train_accuracy": "training", "accuracy": "evaluation"}
GRADIENTS = {
    "fast_gradient_norm": "∂L/∂A(t), one sequence",
    "slow_gradient_norm": "∂L/∂W, recurrent weights",
    "train_gradient_norm": "all weights, in training",
}
"""The series of each panel: key of the metrics, and what it is called. A gradient's says by what it is, since norms
of gradients by different quantities share the axis."""


def accuracy_axis(
    axes: Axes, no_binding_ceiling: float | None = None, best_possible: float | None = None
) -> None:
    """Scale the y axis in percent and draw the lines of reference (given as 0 to 1)."""
    axes.set(ylabel="accuracy (%)", ylim=(0, 105), yticks=range(0, 101, 20))
    named = {"no binding": no_binding_ceiling, "best possible": best_possible}
    known = {name: 100 * level for name, level in named.items() if level is not None}
    scales.levels(axes, {f"{name}\n{level:.4g} %": level for name, level in known.items()})


def _draw(axes: Axes, rows: Rows, panel: dict[str, str], scale: float) -> None:
    for place, (key, label) in enumerate(panel.items()):
        steps, values = series(rows, key)
        if len(steps):
            scales.curve(axes, steps, scale * values, place, label=label, zorder=2)
    scales.counted(axes, "training step")
    # Above the axes it hides nothing.
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=0.2,
        ncols=1 if panel is GRADIENTS else 2,
        handlelength=1.6,
        handletextpad=0.5,
        columnspacing=1.0,
    )
