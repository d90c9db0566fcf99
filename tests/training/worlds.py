"""A small task that agents act in, and small models of agents, to hold rollouts against."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fastweights import models

CUES = 3


class World(NamedTuple):
    cue: Tensor
    time: Tensor
    mood: Tensor


class Recall:
    """A cue is shown once; a step pays if its action is the cue, more towards the end, and less in a bad mood.

    With `moody` the mood is drawn at every step. The test split's cues are never the first.
    """

    features, actions, horizon = CUES + 1, CUES, 6

    def __init__(self, moody=False):
        self.moody = moody

    def reset(self, agents, generator, split="train"):
        assert split in ("train", "test")
        cue = torch.randint(int(split == "test"), CUES, (agents,), generator=generator)
        world = World(cue, torch.zeros(agents, dtype=torch.long), torch.ones(agents))
        return F.pad(F.one_hot(cue, CUES).float(), (0, 1)), world

    def step(self, world, actions, generator):
        mood = world.mood
        if self.moody:
            mood = torch.rand(len(actions), generator=generator)
        reward = (actions == world.cue).float() * (1 + world.time) * mood
        seen = F.pad((world.time + 1.0)[:, None] / self.horizon, (CUES, 0))
        return seen, reward, world._replace(time=world.time + 1, mood=mood)


BACKBONES = {
    "fast-weights": {"rate": 0.3, "backend": "chunked"},
    "irnn": {"input_std": 0.5},
    "lstm": {"backend": "torch"},
    "gru-ln": {},
    "fwm": {"memory_size": 3, "variant": "meta_rl", "backend": "chunked"},
    "deltanet": {"heads": 2, "backend": "chunked"},
}
"""Backends that run a sequence at once, as the kernels do, but need not be compiled in float64 first."""


def agent(name="fast-weights", task=Recall, **changes):
    """A model of an agent in float64, so that only a wrong computation can be seen."""
    return model_of(name, {**BACKBONES[name], **changes}, task).double()


def model_of(name, options, task=Recall, **parts):
    """A model of an agent with these options of its backbone; `parts` are what it has besides, as an embedding."""
    torch.manual_seed(3)
    config = models.model_config(
        name,
        input=task.features,
        hidden=8,
        classes=task.actions + 1,
        inputs="vectors",
        options=options,
        **parts,
    )
    return models.from_config(config)
