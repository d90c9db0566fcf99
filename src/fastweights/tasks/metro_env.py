"""The metro maps as a gymnasium environment: one agent, `fastweights/MetroMap-v0`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, UInt8
from numpy import ndarray

from fastweights.errors import UserError, check_choice
from fastweights.tasks import metro_graphs, metro_map
from fastweights.tasks.checks import as_int, describe_value, reset_options

_OPTIONS = ("graph", "places")


class MetroMapEnv(gymnasium.Env[Float32[ndarray, " features"], np.int64]):
    """One agent of `fastweights.tasks.MetroMap`, by a program of its own; its docstring says what the task is.

    An observation is that of the batched task, 17 numbers with the defaults; an action is a move. An episode terminates
    after `steps`. The `info` of a reset and of every step names the `graph`, by its place in the split.

    Args:
        form: "faithful", as the paper's program, or "fixed", as the paper.
        split: whose graphs, "train" or "test".
        states, moves, graphs, steps, reward, penalty, graph_seed: as of `MetroMap`.
        render_mode: None, or "rgb_array": `render` draws the map with the agent and the goal (needs matplotlib).

    Raises:
        UserError: for an option out of range.

    Example:
        >>> import gymnasium
        >>> import fastweights.tasks
        >>> env = gymnasium.make("fastweights/MetroMap-v0", form="fixed", split="test")
        >>> observation, info = env.reset(seed=0, options={"graph": 7})
        >>> observation.shape, info
        ((17,), {'graph': 7})
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 2}  # noqa: RUF012  (the base declares it so)

    def __init__(
        self,
        form: str = "faithful",
        *,
        split: str = "train",
        states: int = 5,
        moves: int = 3,
        graphs: int = 600,
        steps: int = 30,
        reward: float = 10.0,
        penalty: float = 0.05,
        graph_seed: int = 666,
        render_mode: str | None = None,
    ) -> None:
        metro_map.check(form, steps, reward, penalty)
        if render_mode is not None:
            check_choice("render mode", render_mode, self.metadata["render_modes"])
        check_choice("split", split, metro_graphs.Graphs._fields)
        self._graphs = getattr(metro_graphs.draw(graphs, states, moves, graph_seed), split)
        self.form, self.states, self.moves, self.steps = form, states, moves, steps
        self.reward, self.penalty, self.render_mode = reward, penalty, render_mode
        self.action_space = spaces.Discrete(moves)
        low = np.zeros(2 * states + moves + 4, np.float32)
        high = np.ones_like(low)
        if form == "fixed":
            low[-1], high[-1] = self._total(0, steps), self._total(steps, 0)
        self.observation_space = spaces.Box(low, high)
        self._places: Iterator[tuple[int, int]] = iter(())
        self._graph = self._goal = self._state = self._timer = self._goals = self._penalties = 0
        self._last: int | None = None
        self._step, self._over = 0, True

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Float32[ndarray, " features"], dict[str, Any]]:
        """Start an episode; after an error, the one before goes on as it was.

        Args:
            seed: for all that is random from here on; None: go on.
            options: `graph`, which of the split's graphs (one drawn at random by default); `places`, a sequence of
                (goal, state) to put goal and agent at, now and whenever they are put elsewhere, while it lasts.

        Raises:
            UserError: for another option, an unknown graph, or a place that is none.
        """
        given = reset_options(options, _OPTIONS)
        chosen = given.get("graph")
        graph = None if chosen is None else as_int(chosen)
        if chosen is not None and graph not in range(len(self._graphs)):
            raise UserError(
                f"the graph must be 0 to {len(self._graphs) - 1}, not {describe_value(chosen)}"
            )
        places = self._checked(given.get("places", ()))
        super().reset(seed=seed)
        self._places = iter(places)
        self._graph = int(self.np_random.integers(len(self._graphs))) if graph is None else graph
        self._step = self._timer = self._goals = self._penalties = 0
        self._last, self._over = None, False
        self._put(range(self.states))
        return self._observe(), {"graph": self._graph}

    def step(
        self, action: int | np.int64
    ) -> tuple[Float32[ndarray, " features"], float, bool, bool, dict[str, Any]]:
        """Make a move.

        Raises:
            UserError: for an invalid move, or if the episode is over.
        """
        if self._over:
            raise UserError("the episode is over, or was never begun; reset the environment")
        if not self.action_space.contains(action):
            raise UserError(f"an action is 0 to {self.moves - 1}, not {action!r}")
        self._step += 1
        self._over = self._step == self.steps
        self._last = int(action)
        target = int(self._graphs[self._graph, self._state, self._last])
        others = [state for state in range(self.states) if state != self._goal]
        if target == self._goal:
            reward = self.reward
            self._goals += 1
            if self.form == "fixed":
                self._timer = 0
            self._put(others)
        else:
            reward = 0.0
            self._timer += 1
            if target != metro_graphs.NOWHERE:
                self._state = target
            else:
                reward -= self.penalty
                self._penalties += 1
        if self._timer > self.states:
            self._timer, self._last = 0, None
            self._put(others)
        return self._observe(), reward, self._over, False, {"graph": self._graph}

    def render(self) -> UInt8[ndarray, "height width 3"] | None:
        """Draw the map, [height, width, 3]; None without a render mode.

        Raises:
            UserError: if matplotlib is not installed.
        """
        if self.render_mode is None:
            return None
        try:
            from fastweights.tasks import metro_drawing
        except ImportError as error:
            raise UserError("pictures need matplotlib: pip install 'fastweights[viz]'") from error
        total = self.reward * self._total(self._goals, self._penalties)
        title = f"step {self._step} of {self.steps}     reward {total:.2f}"
        return metro_drawing.picture(
            self._graphs[self._graph], state=self._state, goal=self._goal, title=title
        )

    def _put(self, goals: Sequence[int]) -> None:
        """Place the goal at one of the states and the agent at another state, or both where a user wants them."""
        given = next(self._places, None)
        if given is None:
            self._goal = int(self.np_random.choice(goals))
            others = [state for state in range(self.states) if state != self._goal]
            self._state = int(self.np_random.choice(others))
        else:
            self._goal, self._state = given

    def _checked(self, places: object) -> list[tuple[int, int]]:
        """Check the places that a user gives, goal before state."""
        checked = []
        for place in _listed(places):
            match [as_int(at) for at in _listed(place)]:
                case [int() as goal, int() as state] if goal != state and (
                    {goal, state} <= set(range(self.states))
                ):
                    checked.append((goal, state))
                case _:
                    raise UserError(
                        "places are pairs of two different states, goal and agent, of 0 to"
                        f" {self.states - 1}, not {describe_value(place)}"
                    )
        return checked

    def _total(self, goals: int, penalties: int) -> float:
        """Rewards of so many goals and penalties, in units of the goal's."""
        return goals - penalties * self.penalty / self.reward

    def _observe(self) -> Float32[ndarray, " features"]:
        fixed = self.form == "fixed"
        states, last = 2 * self.states, self.moves if self._last is None else self._last
        seen = np.zeros(states + self.moves + 4, np.float32)
        seen[self._goal] = seen[self.states + self._state] = 1
        seen[states + last + (0 if fixed else 1)] = 1
        total = self._total(self._goals, self._penalties) if fixed else 0.0
        seen[-3:] = 1, self._step / self.steps, total
        return seen


def _listed(given: object) -> list[object]:
    """List what a sequence holds.

    Raises:
        UserError: for anything else.
    """
    try:
        return list(given)  # pyright: ignore[reportArgumentType]  (what is none is an error below)
    except TypeError:
        raise UserError(
            f"places are a sequence of pairs, goal and agent, not {describe_value(given)}"
        ) from None
