"""An episode on a screen: as a strip of frames, or as a film beside what the agent keeps in mind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from PIL import Image

from fastweights.errors import UserError
from fastweights.figures import inside, style
from fastweights.figures.animation import Stage, up_to, write_animation
from fastweights.nn.backbone import Trace

SHOWN, HIDDEN = ListedColormap(["#F4F4F4", style.BLACK]), ListedColormap(["#D9D9D9", "#8C8C8C"])
"""A screen as the agent sees it, and as it is behind a blank one."""
LARGEST = 1.7
"""Inches, a frame of a short episode."""


class Played(NamedTuple):
    """An episode to draw.

    Attributes:
        screens: what there is before each step and after the last, 0 to 1.
        seen: whether the agent sees it.
        policy: the probabilities of the actions at each step.
        taken: the actions.
        names: of the actions.
        reward: of the whole episode.
    """

    screens: Float[np.ndarray, "frames height width"]
    seen: Bool[np.ndarray, " frames"]
    policy: Float[np.ndarray, "steps actions"]
    taken: Sequence[int]
    names: Sequence[str]
    reward: float


@style.styled
def film_strip(played: Played, *, title: str = "", columns: int = 8) -> Figure:
    """Draw an episode frame by frame, each over the action that was taken then and its probability.

    What the agent does not see is grey.

    Args:
        played: the episode.
        title: above the frames.
        columns: frames in a line.

    Example:
        >>> steps = Played(np.eye(4)[None].repeat(3, 0), np.array([True, True, False]), np.full((2, 3), 1 / 3),
        ...     [0, 2], ["left", "stay", "right"], 1.0)
        >>> [axes.get_xlabel() for axes in film_strip(steps).axes]
        ['left 33 %', 'right 33 %', 'reward 1']
    """
    frames = len(played.screens)
    columns = min(columns, frames)
    lines = -(-frames // columns)
    side = min(style.PAGE / columns, LARGEST)
    width = max(style.COLUMN, columns * side)
    figure = style.figure(width, lines * (side + 0.28) + 0.25 * bool(title), title)
    panels = figure.subplots(lines, columns, squeeze=False).flat
    for frame, axes in enumerate(panels):
        if frame >= frames:
            axes.remove()
            continue
        _screen(axes, played, frame)
        axes.set_title(f"t = {frame + 1}", fontsize=6.5, color=style.GREY, pad=2)
        axes.set_xlabel(_caption(played, frame), fontsize=6.5, labelpad=2)
    return figure


@style.styled
def animate_episode(
    played: Played, trace: Trace, path: str | os.PathLike[str], *, dpi: int = 110
) -> Path:
    """Write a GIF that loops for ever: the screen, the policy, and the fast weights A(t) or the hidden state h(t).

    Args:
        played: the episode.
        trace: of the model over its steps; its memory, if it has one, kept at every step.
        path: where to, ending in .gif; a file there is replaced in one move.
        dpi: dots per inch of the 6 × 2.6 inches.

    Returns:
        the path.

    Raises:
        UserError: if the trace has other steps than the episode, or the file cannot be written.
    """
    if trace.hidden.shape[1] != len(played.taken):
        raise UserError(
            f"the trace has {trace.hidden.shape[1]} steps, the episode {len(played.taken)}"
        )
    stage = _EpisodeStage(played, trace, dpi)
    pictures = [stage.picture(step) for step in range(len(played.screens))]
    return write_animation(pictures, stage.maps, path)


def _screen(axes: Axes, played: Played, frame: int) -> None:
    cmap = SHOWN if played.seen[frame] else HIDDEN
    axes.imshow(played.screens[frame], cmap=cmap, vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _caption(played: Played, frame: int) -> str:
    if frame == len(played.taken):
        return f"reward {played.reward:.3g}"
    action = played.taken[frame]
    return f"{played.names[action]} {100 * played.policy[frame, action]:.0f} %"


class _EpisodeStage(Stage):
    """The screen beside the policy and the memory."""

    def __init__(self, played: Played, trace: Trace, dpi: int) -> None:
        super().__init__(6.0, 2.6, dpi)
        self.played, self.hidden = played, inside.hidden(trace, 0)
        self.memory = None if trace.memory is None else inside.memory(trace, 0)
        panels = self.figure.subplots(1, 3, width_ratios=(1, 0.55, 1.15))
        self.screen, self.policy, memory = panels
        places = range(len(played.names))
        self.bars = self.policy.bar(places, [0.0] * len(places), width=0.6, color=style.BLUE)
        self.policy.set(ylim=(0, 1), title="policy", xticks=places, xticklabels=played.names)
        self._build_memory(memory)
        self.picture(0)

    def _build_memory(self, axes: Axes) -> None:
        if self.memory is None:
            values, scale = self.hidden.T, self.hidden
            axes.set(title="hidden state h(t)", xlabel="step t", ylabel="hidden unit i")
        else:
            values, scale = self.memory[-1], self.memory
            axes.set(
                title="fast weights A(t)", xlabel="hidden unit read, j", ylabel="unit written, i"
            )
        self.matrix = style.heat_map(axes, values, scale=scale, percentile=style.MAGNITUDES)
        self.maps = {self.matrix.get_cmap().name}

    def picture(self, frame: int) -> Image.Image:
        """Draw one frame; the last shows what came of the episode, with the memory as the last step left it."""
        played, steps = self.played, len(self.played.taken)
        step = min(frame, steps - 1)
        self.screen.clear()
        _screen(self.screen, played, frame)
        blank = "" if played.seen[frame] else ", not seen"
        self.screen.set_title(f"t = {frame + 1}{blank}")
        self.screen.set_xlabel(_caption(played, frame), color=style.VERMILLION)
        for action, bar in enumerate(self.bars):
            bar.set_height(played.policy[step, action] if frame < steps else 0.0)
            chosen = frame < steps and action == played.taken[step]
            bar.set_color(style.VERMILLION if chosen else style.BLUE)
        shown = up_to(self.hidden, step).T if self.memory is None else self.memory[step]
        self.matrix.set_data(shown)
        return self.rendered()
