"""The settings on the metro maps: those of Schlag et al. 2021, appendix I, and of the program released with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastweights.experiments.metro_map.experiment import MetroMap

MEMORY_OPTIONS = ("memory_size", "reads")
"""Fields that only a Fast Weight Memory understands; they become the backbone's options."""

BACKBONES: Mapping[str, Mapping[str, Any]] = {"fwm": {"variant": "meta_rl"}}
"""Options of a backbone on this task; the LSTM starts as `torch.nn.LSTM` does, as in the released program."""

MILESTONES = (12_700, 51_000)
"""Updates after which a run's evaluation on the test maps is among its results: a quarter of those that the authors'
log of the FWM has, and all of them."""

ENDLESS = 10_000_000
"""Updates of a run that ends at a time."""


def settings(recipe: MetroMap) -> dict[str, Any]:
    """Choose every setting; the same for all models."""
    updates = ENDLESS if recipe.minutes is not None else recipe.updates or MILESTONES[0]
    weight = 0.03
    return {
        "hidden": 32,
        "memory_size": 16,
        "reads": 3,
        "embedding": 0,
        "readout": 0,
        "agents": recipe.graphs,
        "updates": updates,
        "discount": 0.9,
        "trace_decay": 1.0,
        "value_weight": 0.1,
        "entropy_weight": weight,
        "final_entropy_weight": weight if recipe.entropy_weight is None else recipe.entropy_weight,
        "normalise_advantage": False,
        "optimiser": "adam",
        "learning_rate": 1e-3,
        "beta2": 0.999,
        "eps": 1e-4,
        "warmup": 0,
        "schedule": "constant",
        "clip": 0.0,
        # The released program evaluates every 50 updates, which costs a hundredth of them.
        "evaluation_interval": max(1, min(100, updates // 20)),
        "evaluation_episodes": recipe.graphs,
        "test_episodes": recipe.graphs,
    }
