"""Episodes: the one way in which agents act."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fastweights import state as states
from fastweights.models import SequenceModel
from fastweights.nn.parts.mode import evaluating
from fastweights.tasks.environment import Environment


class Episode(NamedTuple):
    """What agents saw, did and got; of `worlds`, if kept, one before each step and one after the last."""

    observations: Float[Tensor, "agents time features"]
    actions: Int[Tensor, "agents time"]
    rewards: Float[Tensor, "agents time"]
    worlds: tuple[Any, ...] | None


def play(
    model: SequenceModel,
    task: Environment[Any],
    agents: int,
    generator: torch.Generator,
    *,
    split: str = "train",
    rows: range | None = None,
    keep_worlds: bool = False,
    on_progress: Callable[[int], object] = lambda done: None,
) -> Episode:
    """Run agents for an episode, their actions sampled from the model's policy.

    The policy is that of evaluation mode, without dropout; every module is left in the mode it was in.

    Args:
        model: an observation in; the logits of the actions and the value out. It begins at its zero
            state, and nothing is kept for a backward pass.
        task: what they act in.
        agents: how many begin.
        generator: of everything random, on the device where the episode is to be played.
        split: of the task's worlds.
        rows: of the agents, those who act, None: all. What befalls an agent does not depend on who
            else acts, as long as nothing in the task is random after the beginning; what is,
            is drawn for these rows alone.
        keep_worlds: whether to keep them, to look at.
        on_progress: called with the number of steps done.

    Example:
        >>> from fastweights import models, tasks
        >>> task = tasks.Catch(5, 2)
        >>> model = models.from_config(models.model_config(
        ...     "irnn", input=task.features, hidden=4, classes=task.actions + 1, inputs="vectors"))
        >>> play(model, task, 3, torch.Generator().manual_seed(0)).actions.shape
        torch.Size([3, 4])
    """
    like = next(model.parameters())
    observation, world = task.reset(agents, generator, split)
    shape = task.horizon, agents, task.actions
    # argmax of logits - log E, E ~ Exp(1), is a sample of their softmax.
    waiting = like.new_empty(shape).exponential_(generator=generator).log_()
    chance = generator
    if rows is not None:
        source = generator
        if generator.device.type != "cpu":  # whose numbers would have to be waited for
            source = torch.Generator().manual_seed(generator.initial_seed())
        lots = torch.randint(2**31, (agents,), generator=source, device="cpu")
        chance = torch.Generator(generator.device).manual_seed(int(lots[rows.start]))
        own = slice(rows.start, rows.stop)
        observation, world = states.map_tensors(lambda tensor: tensor[own], (observation, world))
        waiting = waiting[:, own]
    count = waiting.shape[1]
    # Made here, since tensors made in inference mode cannot be learned from.
    observations = like.new_empty(count, task.horizon, task.features)
    actions = torch.empty(count, task.horizon, dtype=torch.long, device=like.device)
    rewards = like.new_empty(count, task.horizon)
    worlds = [world]
    with evaluating(model), torch.inference_mode():
        act = model.stepper(count, task.horizon)
        for t in range(task.horizon):
            observations[:, t] = observation
            choice = (act(observations[:, t])[:, :-1] - waiting[t]).argmax(1)
            observation, reward, world = task.step(world, choice, chance)
            actions[:, t], rewards[:, t] = choice, reward
            if keep_worlds:
                worlds.append(world)
            on_progress(t + 1)
    return Episode(observations, actions, rewards, tuple(worlds) if keep_worlds else None)
