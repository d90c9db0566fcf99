"""An episode on a metro map, step by step: where the agent is, where it is to go, what it has found out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastweights.figures import style
from fastweights.tasks import metro_drawing
from fastweights.tasks.metro_graphs import NOWHERE

COLUMNS = 8
GAP = 0.3
"""Inches between the lines of maps, for what is written there."""


class Walk(NamedTuple):
    """An episode on a map.

    Attributes:
        graph: to which state each move leads from each state, -1 where it leads nowhere.
        state, goal: where the agent and its goal are before each step.
        move: what it does.
        reward: what that brings.
        late: whether its time is up after that.
    """

    graph: Int[np.ndarray, "states moves"]
    state: Int[np.ndarray, " steps"]
    goal: Int[np.ndarray, " steps"]
    move: Int[np.ndarray, " steps"]
    reward: Float[np.ndarray, " steps"]
    late: Bool[np.ndarray, " steps"]


@style.styled
def walk_strip(walk: Walk, *, title: str = "") -> Figure:
    """Draw an episode as one small map a step.

    The line that is ridden is bold, those ridden before are in full colour, those not yet found out are pale.

    Args:
        walk: the episode.
        title: above the maps.

    Example:
        >>> graph, steps = np.array([[1, -1], [2, 0], [0, -1]]), np.arange(2)
        >>> walk = Walk(graph, steps, steps * 0 + 2, steps * 0, np.array([0.0, 10.0]), steps > 2)
        >>> [axes.texts[-1].get_text() for axes in walk_strip(walk).axes]
        ['move 0: to 1', 'move 0: +10']
    """
    steps, moves = len(walk.move), walk.graph.shape[1]
    columns = min(COLUMNS, steps)
    lines = -(-steps // columns)
    side = style.PAGE / COLUMNS
    width = max(columns * side, style.COLUMN)
    heading = style.wrapped(title, width).splitlines()
    above, below = 0.15 + 0.2 * len(heading), 0.3
    height = above + below + lines * (side + GAP)
    figure = style.figure(width, height)
    figure.set_layout_engine("none")
    known: set[tuple[int, int]] = set()
    every = {(state, move) for state, move in np.ndindex(walk.graph.shape)}
    for step in range(steps):
        line, column = divmod(step, columns)
        bottom = height - above - (line + 1) * (side + GAP) + GAP
        place = (column * side, bottom, side, side)
        axes = figure.add_axes(tuple(np.array(place) / np.tile(figure.get_size_inches(), 2)))
        ridden = int(walk.state[step]), int(walk.move[step])
        metro_drawing.draw(
            axes,
            walk.graph,
            state=ridden[0],
            goal=int(walk.goal[step]),
            faint=every - known - {ridden},
            taken=ridden,
        )
        known.add(ridden)
        _caption(axes, walk, step)
    figure.legend(
        handles=metro_drawing.legend(moves),
        loc="lower center",
        ncols=moves + 2,
        handlelength=1.4,
        columnspacing=1.5,
    )
    if title:
        figure.text(0.5, 1 - 0.04 / height, "\n".join(heading), ha="center", va="top", fontsize=9)
    return figure


def _caption(axes: Axes, walk: Walk, step: int) -> None:
    """Number the step, and say what it does and what that brings."""
    move = walk.move[step]
    onward = walk.graph[walk.state[step], move]
    ends, colour = f"to {onward}", metro_drawing.INK
    if walk.reward[step] > 0:
        ends = f"+{walk.reward[step]:g}"
    elif onward == NOWHERE:
        ends, colour = "nowhere", style.GREY
    if walk.late[step]:
        ends, colour = "time is up", style.VERMILLION
    look = {"transform": axes.transAxes, "ha": "center", "fontsize": 6.5}
    axes.text(0.5, 0.97, f"t = {step + 1}", va="bottom", color=style.GREY, **look)
    weight = "bold" if walk.reward[step] > 0 else "normal"
    axes.text(0.5, 0.02, f"move {move}: {ends}", va="top", color=colour, weight=weight, **look)
