"""The settings that meet the recorded numbers, by task and model: what a recipe takes where nothing is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastweights.experiments.retrieval.experiment import Retrieval

FAST_WEIGHT_OPTIONS = (
    "decay",
    "rate",
    "inner_steps",
    "nonlinearity",
    "layer_norm",
    "preliminary_norm",
    "norm_gain",
    "recurrent_scale",
    "input_std",
)
"""Fields that only a fast-weights RNN understands; they become the backbone's options."""


def settings(model: str, recipe: Retrieval) -> dict[str, Any]:
    """Choose every setting for a model on a task: a base, then what the size of the task changes."""
    chosen: dict[str, Any] = {
        "hidden": 50,
        "embedding": 0,
        "readout": 0,
        "decay": 0.95,
        "rate": 0.5,
        "inner_steps": 1,
        "nonlinearity": "relu",
        "layer_norm": True,
        "preliminary_norm": False,
        "norm_gain": 0.5,
        "recurrent_scale": 0.05,
        "input_std": 1.0,
        "steps": 5400,
        "batch": 128,
        "optimiser": "adam",
        "learning_rate": 1e-2,
        "beta2": 0.999,
        "warmup": 200,
        "schedule": "cosine",
        "clip": 1.0,
    }
    pairs = recipe.pairs
    if pairs > 4:
        chosen.update(
            hidden=100, decay=1.0, rate=0.1, norm_gain=1.0, learning_rate=5e-3, steps=3200
        )
    if pairs > 8:
        stages = tuple(stage for stage in (4, 8, 16) if stage < pairs)
        chosen.update(hidden=128, learning_rate=3e-3, curriculum=(*stages, pairs))
        chosen["steps"] = 1000 * (len(stages) + 1)
    if recipe.form == "trailing-read" and pairs == 4:
        chosen["steps"] = 8000
    if model == "fast-weights-flat":
        chosen.update(nonlinearity="tanh", recurrent_scale=0.5, norm_gain=1.0)
        chosen.update(learning_rate=5e-3, clip=5.0)
    if (recipe.hidden or 0) >= 100:
        chosen["learning_rate"] = min(chosen["learning_rate"], 5e-3)
    if recipe.curriculum is not None or recipe.data == "fixed":
        chosen.pop("curriculum", None)
    steps = recipe.steps or chosen["steps"]
    chosen["evaluation_interval"] = max(1, steps // 20)
    chosen["warmup"] = min(chosen["warmup"], steps // 10)
    return chosen
