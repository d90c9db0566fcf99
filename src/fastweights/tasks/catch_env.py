"""Catch with memory as a gymnasium environment: one board, `fastweights/Catch-v0`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from jaxtyping import UInt8
from numpy import ndarray

from fastweights.errors import UserError, check_choice
from fastweights.tasks import catch
from fastweights.tasks.checks import as_int, describe_value, reset_options

_EDGE = 512
"""Pixels that a picture is wide and high, or a little less."""

_BOARD, _LINE = (24, 26, 32), (38, 41, 50)
_SHOWN = {"ball": (230, 159, 0), "paddle": (86, 180, 233)}
_HIDDEN = {"ball": (92, 66, 12), "paddle": (38, 74, 94)}


class CatchEnv(gymnasium.Env[UInt8[ndarray, "size size"], np.int64]):
    """One board of `fastweights.tasks.Catch`, by a program of its own; its docstring says what the game is.

    An observation is the screen, size × size zeros and ones, all zeros once it is blank; who needs the last action
    remembers it. Actions are 0, 1, 2: left, stay, right. An episode terminates with the ball in the bottom row.

    Args:
        size: N, rows and columns.
        visible: M, frames that are shown.
        start: where the paddle begins, "random" or "middle".
        render_mode: None, or "rgb_array": `render` gives a picture in which ball and paddle are dim while the agent
            cannot see them.

    Raises:
        UserError: for an option out of range.

    Example:
        >>> import gymnasium
        >>> import fastweights.tasks
        >>> env = gymnasium.make("fastweights/Catch-v0", size=24, visible=5)
        >>> screen, info = env.reset(seed=0)
        >>> screen.shape, int(screen.sum())
        ((24, 24), 2)
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012  (the base declares it so)

    def __init__(
        self,
        size: int = 16,
        visible: int = 3,
        *,
        start: str = "random",
        render_mode: str | None = None,
    ) -> None:
        catch.check(size, visible, start)
        if render_mode is not None:
            check_choice("render mode", render_mode, self.metadata["render_modes"])
        self.size, self.visible, self.start, self.render_mode = size, visible, start, render_mode
        self.observation_space = spaces.Box(0, 1, (size, size), np.uint8)
        self.action_space = spaces.Discrete(3)
        self._row = self._ball = self._paddle = 0
        self._over = True

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[UInt8[ndarray, "size size"], dict[str, Any]]:
        """Start an episode; after an error, the one before goes on as it was.

        Args:
            seed: for all that is random from here on; None: go on.
            options: `ball` and `paddle`, the columns where they start; by default as the game has it.

        Raises:
            UserError: for another option, or a column that the screen does not have.
        """
        given = reset_options(options, ("ball", "paddle"))
        columns = {name: self._checked(name, column) for name, column in given.items()}
        super().reset(seed=seed)
        if self.start == "middle":
            columns.setdefault("paddle", self.size // 2)
        self._row, self._over = 0, False
        self._ball, self._paddle = (self._column(columns, name) for name in ("ball", "paddle"))
        return self._observe(), {}

    def step(
        self, action: int | np.int64
    ) -> tuple[UInt8[ndarray, "size size"], float, bool, bool, dict[str, Any]]:
        """Move the paddle and let the ball fall a row.

        Raises:
            UserError: for another action than 0, 1 or 2, or if the episode is over.
        """
        if self._over:
            raise UserError("the episode is over, or was never begun; reset the environment")
        if not self.action_space.contains(action):
            raise UserError(f"an action is 0 (left), 1 (stay) or 2 (right), not {action!r}")
        if action == catch.LEFT and self._paddle > 0:
            self._paddle -= 1
        elif action == catch.RIGHT and self._paddle < self.size - 1:
            self._paddle += 1
        self._row += 1
        self._over = self._row == self.size - 1
        reward = 0.0
        if self._over:
            reward = 1.0 if self._paddle == self._ball else -1.0
        return self._observe(), reward, self._over, False, {}

    def render(self) -> UInt8[ndarray, "height width 3"] | None:
        """Draw the board, each pixel of the screen a square, [height, width, 3]; None without a render mode."""
        if self.render_mode is None:
            return None
        square = max(_EDGE // self.size, 2)
        picture = np.full((self.size * square, self.size * square, 3), _BOARD, np.uint8)
        picture[::square] = picture[:, ::square] = _LINE
        colours = _SHOWN if self._row < self.visible else _HIDDEN
        # From a pixel's middle, in its own width: the paddle fills it, the ball is round and lies on top.
        away = (np.arange(square) + 0.5) / square - 0.5
        full = np.ones((square, square), bool)
        disc = np.hypot(away, away[:, None]) < 0.42
        for name, row, column, shape in (
            ("paddle", self.size - 1, self._paddle, full),
            ("ball", self._row, self._ball, disc),
        ):
            place = picture[row * square :, column * square :][:square, :square]
            place[shape] = colours[name]
        return picture

    def _checked(self, name: str, given: object) -> int:
        """Check a column that a user gives."""
        column = as_int(given)
        if column is None or column not in range(self.size):
            raise UserError(
                f"the {name}'s column must be 0 to {self.size - 1}, not {describe_value(given)}"
            )
        return column

    def _column(self, columns: Mapping[str, int], name: str) -> int:
        """Return a column that was given, or draw it."""
        return columns[name] if name in columns else int(self.np_random.integers(self.size))

    def _observe(self) -> UInt8[ndarray, "size size"]:
        screen = np.zeros((self.size, self.size), np.uint8)
        if self._row < self.visible:
            screen[self._row, self._ball] = screen[self.size - 1, self._paddle] = 1
        return screen
