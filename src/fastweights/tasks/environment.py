"""The protocol of a task to act in: thousands of agents at once, all episodes equally long."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

SPLITS = ("train", "test")
"""Of a task's worlds, where they differ by it."""

W = TypeVar("W", bound=tuple[Tensor, ...])


@runtime_checkable
class Environment(Protocol[W]):
    """A world for every agent of a batch, stepped together.

    A world is a named tuple of tensors whose dimension 0 is the agents, so that `fastweights.state` selects, moves and
    joins agents' worlds as it does with recurrent states. `reset` and `step` are functions of what they are given:
    they change no world in place, agents do not depend on each other, and everything random comes from the generator,
    on whose device they work. (Catch and the metro maps draw all of it at the beginning, so that an agent's episode is
    the same whoever else acts.) After `horizon` steps an episode is over; a step beyond it has no meaning.
    """

    @property
    def features(self) -> int:
        """Numbers in an observation."""
        ...

    @property
    def actions(self) -> int:
        """Actions to choose from, numbered from 0."""
        ...

    @property
    def horizon(self) -> int:
        """Steps of an episode."""
        ...

    def reset(
        self, agents: int, generator: torch.Generator, split: str = "train"
    ) -> tuple[Float[Tensor, "agents features"], W]:
        """Start an episode with each agent.

        Args:
            agents: how many, 1 or more.
            generator: the same state of it gives the same worlds.
            split: "train" or "test", where the task's worlds differ by it; ignored elsewhere.

        Returns:
            what each agent sees first, and its world.

        Raises:
            UserError: for fewer than one agent or an unknown split.
        """
        ...

    def step(
        self, world: W, actions: Int[Tensor, " agents"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "agents features"], Float[Tensor, " agents"], W]:
        """Apply one action of every agent.

        Args:
            world: as `reset` or `step` gave it.
            actions: [agents], 0 to `actions` - 1.
            generator: for whatever is random in the step.

        Returns:
            what each agent sees then, the reward of its action, and its new world.

        Raises:
            UserError: on a CPU, for an invalid action.
        """
        ...
