"""The settings of each model on Catch: what a recipe takes where nothing is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastweights.experiments.catch.experiment import Catch

FAST_WEIGHT_OPTIONS = ("decay", "rate")
"""Fields that only a fast-weights RNN understands; they become the backbone's options."""

GOAL = 0.95
"""Mean reward of the sampled policy that counts as having learned the task."""

BACKBONES: Mapping[str, Mapping[str, Any]] = {
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


def backbone_options(model: str) -> dict[str, Any]:
    """Give a backbone's options on this task."""
    return dict(BACKBONES.get(model, {}))


def settings(model: str, recipe: Catch) -> dict[str, Any]:
    """Choose every setting: the same for all models but for the learning rate."""
    chosen: dict[str, Any] = {
        "hidden": 64,
        "embedding": 0,
        "readout": 0,
        "decay": 0.95,
        "rate": 0.02,
        "agents": 128,
        "updates": 3125,
        "discount": 1.0,
        "trace_decay": 0.9,
        "value_weight": 0.2,
        "entropy_weight": 0.006,
        "normalise_advantage": False,
        "optimiser": "adam",
        "learning_rate": 4e-3,
        "beta2": 0.99,
        "eps": 1e-5,
        "warmup": 20,
        "clip": 0.3,
        "evaluation_episodes": 1000,
        "test_episodes": 5000,
    }
    if recipe.size > 16:
        chosen.update(agents=256, updates=6800, learning_rate=3e-3)
    # What ends at a time cannot have schedules that end with the updates.
    timed = recipe.minutes is not None
    chosen["schedule"] = "constant" if timed else "cosine"
    weight = recipe.entropy_weight
    start = chosen["entropy_weight"] if weight is None else weight
    chosen["final_entropy_weight"] = start if timed else 0.0
    if timed:
        chosen["updates"] = 10_000_000
    updates = recipe.updates or chosen["updates"]
    chosen["evaluation_interval"] = 50 if timed else max(1, updates // 40)
    chosen["warmup"] = min(chosen["warmup"], updates // 10)
    return chosen
