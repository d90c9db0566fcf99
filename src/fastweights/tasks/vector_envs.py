"""The batched tasks as gymnasium's vector environments: all agents in one call of the task itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import Env
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy import ndarray

from fastweights.errors import UserError
from fastweights.tasks.catch import Catch
from fastweights.tasks.catch_env import CatchEnv
from fastweights.tasks.checks import check_int
from fastweights.tasks.environment import Environment
from fastweights.tasks.metro_env import MetroMapEnv
from fastweights.tasks.metro_map import MetroMap

Stepped = tuple[ndarray, ndarray, ndarray, ndarray, dict[str, Any]]


class WorldVectorEnv(VectorEnv[ndarray, ndarray, ndarray]):
    """Agents of a batched task. Their episodes are equally long and end together.

    The step after the end starts the next episode for all, whatever the actions, with rewards of 0, as gymnasium has
    it by default (`AutoresetMode.NEXT_STEP`).

    Args:
        task: the batched task.
        single: the environment of one agent, for its spaces.
        num_envs: how many agents.
        split: of the task's worlds.

    Raises:
        UserError: for fewer than one agent.

    Example:
        >>> import gymnasium
        >>> import fastweights.tasks
        >>> envs = gymnasium.make_vec("fastweights/Catch-v0", 64, size=24, visible=5)
        >>> screens, info = envs.reset(seed=0)
        >>> screens.shape, int(screens.sum())
        ((64, 24, 24), 128)
    """

    def __init__(
        self, task: Environment[Any], single: Env[Any, Any], num_envs: int, split: str = "train"
    ) -> None:
        check_int("the number of agents", num_envs, 1)
        self.metadata = {**single.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self.num_envs, self.task, self.split = num_envs, task, split
        self.single_observation_space = single.observation_space
        self.single_action_space = single.action_space
        self.observation_space = batch_space(single.observation_space, num_envs)
        self.action_space = batch_space(single.action_space, num_envs)
        self._generator = torch.Generator()
        self._generator.seed()
        self._world: Any = None
        self._steps = 0

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[ndarray, dict[str, Any]]:
        """Start an episode with every agent.

        Args:
            seed: a number for all that is random from here on; None: go on.
            options: none are taken.

        Raises:
            UserError: for a seed for each agent, which share one generator, or an option.
        """
        if options:
            raise UserError(f"reset takes no options here, not {sorted(map(str, options))}")
        if seed is not None:
            check_int("the seed of all agents", seed, 0)
            self._generator.manual_seed(int(seed))  # type: ignore[arg-type]  (checked)
        seen, self._world = self.task.reset(self.num_envs, self._generator, self.split)
        self._steps = 0
        return self._observed(seen), {}

    def step(self, actions: ndarray) -> Stepped:
        """Apply one action of every agent.

        Raises:
            UserError: for another action than the task has, or if no episode was begun.
        """
        if self._world is None:
            raise UserError("no episode was begun; reset the environment")
        never = np.zeros(self.num_envs, bool)
        if self._steps == self.task.horizon:
            seen, info = self.reset()
            return seen, np.zeros(self.num_envs), never, never.copy(), info
        chosen = torch.as_tensor(np.asarray(actions))
        if chosen.shape != (self.num_envs,):
            raise UserError(f"actions are {list(chosen.shape)}; accepted: [{self.num_envs}]")
        seen, rewards, self._world = self.task.step(self._world, chosen, self._generator)
        self._steps += 1
        over = np.full(self.num_envs, self._steps == self.task.horizon)
        return self._observed(seen), rewards.double().numpy(), over, never, {}

    def _observed(self, seen: torch.Tensor) -> ndarray:
        space = self.observation_space
        assert space.shape is not None and space.dtype is not None
        return seen.numpy().astype(space.dtype, copy=False).reshape(space.shape)


def catch(num_envs: int = 1, **options: Any) -> WorldVectorEnv:
    """Build boards of Catch; the options are those of `CatchEnv`."""
    single = CatchEnv(**_unrendered(options))
    task = Catch(single.size, single.visible, start=single.start, last_action=False)
    return WorldVectorEnv(task, single, num_envs)


def metro_map(num_envs: int = 1, *, split: str = "train", **options: Any) -> WorldVectorEnv:
    """Build agents on the metro maps; the options are those of `MetroMapEnv`. Agent i walks on graph i mod `graphs`."""
    single = MetroMapEnv(split=split, **_unrendered(options))
    return WorldVectorEnv(MetroMap(**options), single, num_envs, split)


def _unrendered(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options, which ask for no pictures: those are of one agent."""
    if options.pop("render_mode", None) is not None:
        raise UserError(
            "many agents are not drawn; accepted: render_mode=None, or vectorization_mode='sync'"
        )
    return options
