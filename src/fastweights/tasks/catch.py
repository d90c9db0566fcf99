"""Catch with memory: after a few frames the screen is blank, but the ball falls on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fastweights.errors import UserError, check_choice
from fastweights.tasks.checks import as_int, check_actions, check_int, describe_value
from fastweights.tasks.environment import SPLITS

LEFT, STAY, RIGHT, NONE = range(4)
"""The actions, and what stands for the last one before there was any."""

STARTS = ("random", "middle")


class World(NamedTuple):
    """Boards, a row each.

    Attributes:
        frame: [agents], steps since the beginning, which is also the row of the ball, the top one being 0.
        ball: [agents], its column, 0 to size - 1.
        paddle: [agents], its column in the bottom row.
        last: [agents], the last action; 3 at first.
    """

    frame: Int[Tensor, " agents"]
    ball: Int[Tensor, " agents"]
    paddle: Int[Tensor, " agents"]
    last: Int[Tensor, " agents"]


class Catch:
    """A ball falls down a screen that goes blank, and the paddle must be where it lands: many boards at once.

    A screen of size × size pixels is black but for two: the ball, which starts in a random column of the top row and
    falls straight down, a row a step, and the paddle in the bottom row, one pixel wide, which goes left, stays or goes
    right (the edges stop it). Only the first `visible` frames are shown; all later ones are blank. When the ball is in
    the bottom row, after size - 1 steps, the reward is 1 if the paddle is there too, else -1; before that it is 0.
    There is always time to get there, so `best_possible` is 1; whoever never sees the ball is at its column once in
    `size` times, whatever it does, so `chance` is 2 / size - 1.

    The paper leaves open how wide the paddle is and where it starts; both are our reading.

    Args:
        size: N, rows and columns, 2 or more.
        visible: M, frames that are shown, 1 to `size` (all of them).
        start: where the paddle begins: "random", so that its place has to be remembered too, or "middle".
        last_action: whether observations end with the last action, one-hot (all zeros in the first).

    Attributes:
        features: pixels, row by row, and 3 more for the last action.
        actions: 3: left, stay, right.
        horizon: steps of an episode: the ball falls from the top row to the bottom one.
        best_possible: mean reward of the best policy.
        chance: mean reward of every policy that does not see the ball.

    Raises:
        UserError: for an option out of range.

    Source: Ba et al. 2016, section 4.4.

    Example:
        >>> task, generator = Catch(16, 3), torch.Generator().manual_seed(0)
        >>> observation, world = task.reset(5000, generator)
        >>> for _ in range(task.horizon):
        ...     towards = 1 + (world.ball - world.paddle).sign()
        ...     observation, reward, world = task.step(world, towards, generator)
        >>> observation.shape, float(reward.mean())
        (torch.Size([5000, 259]), 1.0)
    """

    actions = 3
    best_possible = 1.0

    def __init__(
        self, size: int = 16, visible: int = 3, *, start: str = "random", last_action: bool = True
    ) -> None:
        check(size, visible, start)
        self.size, self.visible, self.start, self.last_action = size, visible, start, last_action
        self.features = size**2 + (self.actions if last_action else 0)
        self.horizon, self.chance = size - 1, 2 / size - 1

    def __repr__(self) -> str:
        options = f"start={self.start!r}, last_action={self.last_action}"
        return f"Catch({self.size}, {self.visible}, {options})"

    def reset(
        self, agents: int, generator: torch.Generator, split: str = "train"
    ) -> tuple[Float[Tensor, "agents features"], World]:
        """Start an episode on each board; see `Environment`. Train and test boards are the same kind."""
        check_int("the number of agents", agents, 1)
        check_choice("split", split, SPLITS)
        device = generator.device
        columns = torch.randint(self.size, (2, agents), generator=generator, device=device)
        ball, paddle = columns.unbind()
        if self.start == "middle":
            paddle = torch.full_like(ball, self.size // 2)
        frame = torch.zeros_like(ball)
        world = World(frame, ball, paddle, torch.full_like(ball, NONE))
        return self._observe(world), world

    def step(
        self, world: World, actions: Int[Tensor, " agents"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "agents features"], Float[Tensor, " agents"], World]:
        """Move every paddle and let every ball fall; see `Environment`. Nothing in it is random.

        Raises:
            UserError: on a CPU, for an invalid action.
        """
        check_actions(actions, self.actions)
        paddle = (world.paddle + actions - STAY).clamp(0, self.size - 1)
        world = World(world.frame + 1, world.ball, paddle, actions)
        caught = 2.0 * (paddle == world.ball).float() - 1.0
        reward = caught * (world.frame == self.horizon)
        return self._observe(world), reward, world

    def screen(self, world: World) -> Float[Tensor, "agents size size"]:
        """Return what is there, whether the agent sees it or not: 1 at ball and paddle, 0 elsewhere."""
        pixels = self._pixels(world)
        screen = torch.zeros(len(pixels), self.size**2, device=pixels.device, dtype=torch.float32)
        return screen.scatter_(1, pixels, 1.0).view(-1, self.size, self.size)

    def _pixels(self, world: World) -> Int[Tensor, "agents 2"]:
        """Places of ball and paddle in a screen that is read row by row."""
        bottom = self.size * (self.size - 1)
        return torch.stack([world.frame * self.size + world.ball, bottom + world.paddle], 1)

    def _observe(self, world: World) -> Float[Tensor, "agents features"]:
        """Return what the agents are given: at most three ones each, all put into zeros at once."""
        places = self._pixels(world)
        lit = (world.frame < self.visible)[:, None].expand(-1, 2)
        if self.last_action:
            acted = world.last != NONE
            last = self.size**2 + world.last.clamp(max=RIGHT)
            places = torch.cat([places, last[:, None]], 1)
            lit = torch.cat([lit, acted[:, None]], 1)
        seen = torch.zeros(len(places), self.features, device=places.device, dtype=torch.float32)
        return seen.scatter_(1, places, lit.to(seen.dtype))


def check(size: int, visible: int, start: str) -> None:
    """Check the options.

    Raises:
        UserError: naming the first.
    """
    rows, frames = as_int(size), as_int(visible)
    if rows is None or rows < 2:
        raise UserError(
            f"the screen's size is a whole number, at least 2 rows and columns, not {describe_value(size)}"
        )
    if frames not in range(1, rows + 1):
        raise UserError(
            f"visible frames must be 1 to {rows} (the screen's size), not {describe_value(visible)}"
        )
    check_choice("start of the paddle", start, STARTS)
