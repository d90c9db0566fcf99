"""A metro map as a picture: stations on a ring, a coloured line for each move, the agent and its goal."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.patheffects import withStroke
from numpy import ndarray

from fastweights.tasks.metro_graphs import NOWHERE

LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#6E6E6E")
"""Colours of the moves; from the first again where there are more of them."""

INK, PAPER, GOAL = "#222222", "#FFFFFF", "#F0E442"
"""The agent's station and all outlines, the other stations, the goal."""

RADIUS = 0.16
"""Of a station, where the ring's is 1."""

SIDE = 0.06
"""How far beside its stations' middles, on the right, a line runs: those of two directions keep apart."""


def stations(states: int) -> Float[ndarray, "states 2"]:
    """Place the stations on a ring of radius 1: the first at the top, the others clockwise.

    Example:
        >>> stations(4).round(3).tolist()[:2]
        [[0.0, 1.0], [1.0, 0.0]]
    """
    angle = np.pi / 2 - 2 * np.pi * np.arange(states) / states
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def draw(
    axes: Axes,
    graph: Int[ndarray, "states moves"],
    *,
    state: int | None = None,
    goal: int | None = None,
    faint: Collection[tuple[int, int]] = (),
    taken: tuple[int, int] | None = None,
) -> None:
    """Draw a map on axes of its own.

    Args:
        axes: loses its ticks and frame.
        graph: to which state each move leads from each state, -1 where it leads nowhere.
        state: the agent's; None: no agent is drawn.
        goal: None: no goal is drawn.
        faint: lines, as (state, move), that are drawn pale: such as nobody has ridden yet.
        taken: a line that is drawn bold: such as is being ridden.
    """
    places = stations(len(graph))
    parallel: dict[tuple[int, int], int] = {}
    size = _points(axes)
    for (origin, move), target in np.ndenumerate(graph):
        if target == NOWHERE:
            continue
        lane = parallel[origin, target] = parallel.get((origin, target), -1) + 1
        along = places[target] - places[origin]
        weight = 2.0 if (origin, move) == taken else 1.0
        beside = SIDE * np.array([along[1], -along[0]]) / np.hypot(*along)
        line = FancyArrowPatch(
            tuple(places[origin] + beside),
            tuple(places[target] + beside),
            connectionstyle=f"arc3,rad={0.13 + 0.2 * lane}",
            arrowstyle="-|>,head_length=0.4,head_width=0.22",
            mutation_scale=0.22 * size * weight**0.5,
            shrinkA=np.sqrt(RADIUS**2 - SIDE**2) * size,
            shrinkB=np.sqrt(RADIUS**2 - SIDE**2) * size,
            linewidth=0.036 * size * weight,
            color=LINES[move % len(LINES)],
            alpha=0.2 if (origin, move) in faint else 1.0,
        )
        line.set_path_effects(
            [withStroke(linewidth=(0.02 + 0.036 * weight) * size, foreground=PAPER)]
        )
        axes.add_patch(line)
    for number, place in enumerate(places):
        fill = INK if number == state else GOAL if number == goal else PAPER
        ring = Circle(tuple(place), RADIUS, facecolor=fill, edgecolor=INK, zorder=3)
        ring.set_linewidth(0.035 * size)
        axes.add_patch(ring)
        name = axes.text(place[0], place[1], str(number), size=0.19 * size, zorder=4)
        name.set(color=PAPER if number == state else INK, ha="center", va="center")
    axes.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    axes.set_axis_off()


def legend(moves: int) -> list[Line2D]:
    """Build the handles of a legend of such a map: each move's line, the agent, the goal."""
    lines = [
        Line2D([], [], color=LINES[move % len(LINES)], linewidth=4, label=f"move {move}")
        for move in range(moves)
    ]
    ring = {"color": "none", "marker": "o", "markersize": 11, "markeredgewidth": 2}
    spots = [
        Line2D([], [], **ring, markerfacecolor=fill, markeredgecolor=INK, label=label)
        for fill, label in ((INK, "agent"), (GOAL, "goal"))
    ]
    return [*lines, *spots]


def picture(
    graph: Int[ndarray, "states moves"], state: int, goal: int, title: str
) -> UInt8[ndarray, "height width 3"]:
    """Draw a map with its agent and goal, a title above and a legend below, as 560 × 600 pixels."""
    figure = Figure(figsize=(5.6, 6.0), dpi=100)
    canvas = FigureCanvasAgg(figure)
    draw(figure.add_axes((0.05, 0.09, 0.9, 0.84)), graph, state=state, goal=goal)
    figure.text(0.5, 0.95, title, size=13, color=INK, ha="center", va="center")
    figure.legend(
        handles=legend(graph.shape[1]),
        loc="lower center",
        ncols=5,
        frameon=False,
        fontsize=11,
        handlelength=1.4,
        columnspacing=1.2,
    )
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _points(axes: Axes) -> float:
    """Points of type (1/72 inch) that one unit of the map takes on axes of this size."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    width, height = figure.get_size_inches() * axes.get_position().size
    return 72 * min(width, height) / 2.6
