"""Options of Catch, and their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fastweights.experiments.actor_critic import AgentOptions
from fastweights.experiments.options import FastWeightOptions, backbone_fields


@dataclass(frozen=True, kw_only=True)
class CatchOptions(FastWeightOptions, AgentOptions):
    """Train agents on Catch: the ball falls on when the screen has gone blank (Ba et al. 2016, section 4.4).

    Settings that are not given are the same for all models but for the learning rate.
    """

    size: int = 16
    """Rows and columns of the screen, N."""
    visible: int = 3
    """Frames before the screen goes blank, M."""
    start: Literal["random", "middle"] = "random"
    """Where the paddle begins."""
    last_action: bool = True
    """Do not show the agents their last action; by default they see it."""


FAST_WEIGHT_OPTIONS = ("decay", "rate")
"""Fields that only a fast-weights RNN understands; they become the backbone's options."""

GOAL = 0.95
"""Mean reward of the sampled policy that counts as having learned the task."""

BACKBONES: Mapping[str, Mapping[str, object]] = {
    "fast-weights": {
        "recurrent_scale": 1.0,
        "input_std": 0.3,
        "nonlinearity": "tanh",
        "norm_gain": 0.5,
    },
    "irnn": {"input_std": 0.1},
    "lstm": {"forget_bias": 1.0},
}
"""Options by which a backbone remembers from the beginning: W as the identity, a forget gate that is open."""


MEMORY: Mapping[str, Mapping[str, float]] = {"fast-weights": {"decay": 0.95, "rate": 0.02}}
"""Decay and rate of the models that they were found for; the flat form has the backbone's own."""


def defaults(options: CatchOptions) -> dict[str, object]:
    """Return every default: the same for all models but for the backbone's own.

    Raises:
        UserError: if an option is given that the model does not have.
    """
    backbone_fields(options, FAST_WEIGHT_OPTIONS)
    large, timed = options.size > 16, options.minutes is not None
    updates = options.steps_or_endless(6800 if large else 3125)
    entropy_weight = 0.006 if options.entropy_weight is None else options.entropy_weight
    until = options.updates or updates
    return {
        "hidden": 64,
        "embedding": 0,
        "readout": 0,
        **MEMORY.get(options.model, {}),
        "agents": 256 if large else 128,
        "updates": updates,
        "discount": 1.0,
        "trace_decay": 0.9,
        "value_weight": 0.2,
        "entropy_weight": entropy_weight,
        "final_entropy_weight": entropy_weight if timed else 0.0,
        "normalise_advantage": False,
        "optimiser": "adam",
        "learning_rate": 3e-3 if large else 4e-3,
        "beta2": 0.99,
        "eps": 1e-5,
        "warmup": min(20, until // 10),
        "schedule": "constant" if timed else "cosine",
        "clip": 0.3,
        "evaluation_interval": 50 if timed else max(1, until // 40),
        "evaluation_episodes": 1000,
        "test_episodes": 5000,
    }
