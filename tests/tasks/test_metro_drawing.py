"""A map that is drawn has a line for every move that leads somewhere, and all its stations in its frame."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch

from fastweights.tasks.metro_drawing import RADIUS, draw

GRAPH = np.array([[-1, 1], [2, -1], [0, 1]])


def test_every_move_and_every_station_is_drawn():
    axes = Figure().add_subplot()
    draw(axes, GRAPH, state=0, goal=2)
    assert sum(isinstance(patch, FancyArrowPatch) for patch in axes.patches) == (GRAPH >= 0).sum()
    rings = [patch for patch in axes.patches if isinstance(patch, Circle)]
    assert [text.get_text() for text in axes.texts] == ["0", "1", "2"]
    assert len(rings) == len({ring.get_facecolor() for ring in rings}) == 3
    assert axes.get_xlim() == axes.get_ylim() == (-1.3, 1.3)
    assert all(np.hypot(*ring.center) + RADIUS < 1.3 for ring in rings)
