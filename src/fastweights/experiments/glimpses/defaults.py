"""The settings of each model on the glimpses: what a recipe takes where nothing is said, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastweights.errors import UserError, check_seed
from fastweights.experiments.options import further, has_fast_weights

if TYPE_CHECKING:
    from fastweights.experiments.glimpses.experiment import Glimpses, Resolved

FAST_WEIGHT_OPTIONS = {"decay": 0.95, "rate": 0.5, "inner_steps": 1}
"""Fields that only a fast-weights RNN understands, with the paper's values; they become the backbone's options."""

EPOCH = 55_000
"""Images of the train split."""


def settings(model: str, recipe: Glimpses) -> dict[str, Any]:
    """Choose every setting: what all models have in common, more steps for the larger ones, the memory's constants."""
    chosen: dict[str, Any] = {
        "glimpse_layer": 0 if model == "convnet" else 200,
        "input_dropout": 0.15,
        "steps": 12_000 if recipe.features < 100 else 20_000,
        "batch": 128,
        "learning_rate": 4e-3,
        "weight_decay": 0.2,
        "warmup": 200,
        "clip": 1.0,
    }
    if has_fast_weights(model):
        chosen.update(FAST_WEIGHT_OPTIONS)
    steps = recipe.steps or chosen["steps"]
    chosen["evaluation_interval"] = max(1, steps // 20)
    chosen["warmup"] = min(chosen["warmup"], steps // 10)
    return chosen


def check(recipe: Resolved) -> None:
    """Refuse values out of range; what a model, the task or the engine checks for itself is left to them.

    Raises:
        UserError: naming the first.
    """
    for name in ("features", "steps", "batch", "evaluation_interval"):
        if getattr(recipe, name) < 1:
            raise UserError(f"{name} must be at least 1, not {getattr(recipe, name)}")
    if recipe.glimpse_layer < 0:
        raise UserError(f"glimpse_layer must not be negative: {recipe.glimpse_layer} was given")
    check_seed(recipe.seed)
    if not 0 <= recipe.input_dropout < 1:
        raise UserError(f"input_dropout must be from 0 to below 1, not {recipe.input_dropout:g}")
    if recipe.batch > EPOCH:
        raise UserError(f"batch must be at most {EPOCH}, the images there are, not {recipe.batch}")
    if recipe.model == "convnet" and recipe.glimpse_layer:
        raise UserError("a convnet sees the pixels themselves: its glimpse_layer must be 0")
    from fastweights.training.engine.settings import check_device

    check_device(recipe.device)


def options(model: str, recipe: Resolved) -> dict[str, Any]:
    """Put the backbone's options together: the recipe's fields, then what `--set` says.

    Raises:
        UserError: for an option that the model does not have, or that is said elsewhere.
    """
    from fastweights.tasks.glimpses import cells

    given = {name: getattr(recipe, name) for name in FAST_WEIGHT_OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    if given and not has_fast_weights(model):
        raise UserError(f"model {model!r} has no {', '.join(given)}: only fast-weights models have")
    if model == "convnet":
        given["cells"] = list(cells(recipe.reading))
    return {**given, **further(model, recipe.set, tuple(given))}
