"""Why layer normalisation is there: what a fast memory does to the hidden state, and to its gradient, without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastweights.errors import UserError, check_choice
from fastweights.figures import inside, scales, style
from fastweights.nn.backbone import Trace
from fastweights.ops.fast_weight_rnn.arguments import NONLINEARITIES

NEAR_ONE = 0.99
MARKED = 30
"""Steps below which each has a mark."""


@style.styled
def saturation(
    traces: Mapping[str, Trace],
    gradients: Mapping[str, Sequence[float]],
    *,
    symbols: str | None = None,
    nonlinearity: str = "tanh",
    title: str = "",
) -> Figure:
    """Compare models by step: length of the hidden state, units that pass no gradient on, and the gradient itself.

    Args:
        traces: by the name in the legend; quantities are averaged over the rows of the batch.
        gradients: by the same names, the norm ‖∂L/∂h(t)‖ at each step t; a gradient of exactly 0 is drawn as a
            triangle at the bottom.
        symbols: the sequence under the axes, one symbol a step; None numbers the steps.
        nonlinearity: "tanh": a unit passes nothing on at |h| ≥ 0.99, and √H is the longest that h can be;
            "relu": at h = 0.
        title: above the panels.

    Raises:
        UserError: if the names or the numbers of steps differ, or for another nonlinearity.

    Example:
        >>> import torch
        >>> from fastweights import FastWeightRNN
        >>> x = torch.eye(3)[None]
        >>> models = {name: FastWeightRNN(3, 8, layer_norm=on) for name, on in (("LN", True), ("no LN", False))}
        >>> traces = {name: model.trace(x) for name, model in models.items()}
        >>> figure = saturation(traces, {"LN": [1, 2, 3], "no LN": [0, 0, 1]}, nonlinearity="relu")
        >>> figure.axes[1].get_ylabel()
        'units at h = 0 (%)'
    """
    check_choice("nonlinearity", nonlinearity, NONLINEARITIES)
    if set(traces) != set(gradients) or not 1 <= len(traces) <= len(style.PALETTE):
        raise UserError(
            f"saturation takes 1 to {len(style.PALETTE)} traces with a gradient each;"
            f" got traces {sorted(traces)}, gradients {sorted(gradients)}"
        )
    steps = {trace.hidden.shape[1] for trace in traces.values()}
    steps |= {len(norms) for norms in gradients.values()} | ({len(symbols)} if symbols else set())
    if len(steps) != 1:
        raise UserError(f"traces, gradients and symbols have different steps: {sorted(steps)}")
    figure = style.figure(style.PAGE, 2.3)
    norm, stuck, gradient = figure.subplots(1, 3)
    count = steps.pop()
    places = np.arange(count) if symbols else np.arange(1, count + 1)
    for index, (name, trace) in enumerate(traces.items()):
        h = inside.array(trace.hidden)
        marker = style.MARKERS[index] if count < MARKED else ""
        look = {**style.look(index), "marker": marker, "markersize": 3}
        norm.plot(places, np.linalg.norm(h, axis=-1).mean(0), label=name, **look)
        silent = np.abs(h) >= NEAR_ONE if nonlinearity == "tanh" else h == 0
        stuck.plot(places, 100 * silent.mean((0, 2)), **look)
        _gradient(gradient, places, np.asarray(gradients[name], dtype=float), look)
    width = next(iter(traces.values())).hidden.shape[-1]
    if nonlinearity == "tanh":
        norm.set_ylim(0, 1.15 * max(width**0.5, norm.get_ylim()[1] / 1.05))
        scales.levels(norm, {f"√H = {width**0.5:.1f}\n(all at ±1)": width**0.5})
        stuck.set_ylabel(f"units at |h| ≥ {NEAR_ONE} (%)")
    else:
        scales.positive(norm)
        stuck.set_ylabel("units at h = 0 (%)")
    norm.set_ylabel("mean ‖h(t)‖")
    stuck.set_ylim(-3, 103)
    gradient.set_ylabel("‖∂L/∂h(t)‖")
    scales.positive(gradient)
    for axes in (norm, stuck, gradient):
        scales.counted(axes, "symbol read at step t" if symbols else "step t")
        if symbols:
            scales.symbols_below(axes, symbols)
    style.shared_legend(figure, norm.get_legend_handles_labels()[0], title)
    return figure


def _gradient(axes: Axes, places: np.ndarray, norms: np.ndarray, look: dict) -> None:
    axes.plot(
        places, np.where(norms > 0, norms, np.nan), **{**look, "marker": look["marker"] or "."}
    )
    zero = norms == 0
    if zero.any():
        axes.plot(
            places[zero],
            np.full(zero.sum(), 0.02),
            linestyle="none",
            marker="v",
            color=look["color"],
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )
