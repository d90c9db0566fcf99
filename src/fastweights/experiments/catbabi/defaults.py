"""The settings of each model on catbAbI: what a recipe takes where nothing is said, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fastweights.errors import UserError, check_seed
from fastweights.experiments.options import further

if TYPE_CHECKING:
    from fastweights.experiments.catbabi.experiment import CatBAbI, Resolved

MEMORY_OPTIONS = ("memory_size", "reads", "variant", "combine", "residual")
"""Fields that only the Fast Weight Memory understands; they become the backbone's options."""


class Backbone(NamedTuple):
    """A model's size and how it is trained, both as Schlag et al. 2021 have it where they say so.

    Attributes:
        hidden: units of the backbone.
        options: of the backbone.
        training: fields of the recipe.
        alone: whether the test reads the whole split in one row, as the paper does; the others read
            it in 32 rows, since a row takes them too long.
    """

    hidden: int
    options: Mapping[str, Any]
    training: Mapping[str, Any]
    alone: bool = False


BACKBONES = {
    "fwm": Backbone(256, {}, {"learning_rate": 2e-3, "steps": 24_000}, alone=True),
    "residual-lstm": Backbone(
        512,
        {"layers": 4, "hidden_dropout": 0.1, "recurrent_dropout": 0.1},
        {"word_dropout": 0.01, "embedding_dropout": 0.1, "batch": 8, "warmup": 50},
    ),
    "transformer-xl": Backbone(
        512,
        {"layers": 3, "inner_size": 2048, "memory_length": 1200},
        {"learning_rate": 2.5e-4, "batch": 8, "warmup": 20},
    ),
    "mnm": Backbone(256, {}, {"batch": 16, "warmup": 50}),
    "fast-weights": Backbone(512, {"decay": 0.99}, {"learning_rate": 5e-4}),
    "deltanet": Backbone(448, {"heads": 7}, {"learning_rate": 2e-3, "steps": 10_000}, alone=True),
    "gated-deltanet": Backbone(
        256, {"heads": 4}, {"learning_rate": 2e-3, "steps": 10_000}, alone=True
    ),
}
"""By registered name. Batches are smaller than the paper's where a step would take many seconds here."""


def settings(model: str, recipe: CatBAbI) -> dict[str, Any]:
    """Choose every setting for a model: what all have in common, then the model's own."""
    own = BACKBONES.get(model, Backbone(256, {}, {}))
    chosen: dict[str, Any] = {
        "embedding": 256,
        "hidden": own.hidden,
        "word_dropout": 0.0,
        "embedding_dropout": 0.0,
        "batch": 32,
        "steps": 4_000,
        "optimiser": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 0.05,
        "warmup": 200,
        "clip": 1.0,
        "test_rows": 1 if own.alone else 32,
        "validation_segments": 15 if own.alone else 2,
        **own.training,
    }
    # What ends at a time and not at a step cannot have a schedule that ends with the steps.
    chosen["schedule"] = "cosine" if recipe.minutes is None else "constant"
    if recipe.minutes is not None:
        chosen["steps"] = 10_000_000
    steps = recipe.steps or chosen["steps"]
    chosen["evaluation_interval"] = 500 if own.alone else 40
    if recipe.minutes is None:
        chosen["evaluation_interval"] = max(50, steps // 40)
        chosen["warmup"] = min(chosen["warmup"], steps // 10)
    return chosen


def check(recipe: Resolved) -> None:
    """Refuse values out of range; what a model, the task or the engine checks for itself is left to them.

    Raises:
        UserError: naming the first.
    """
    for name in ("hidden", "embedding", "steps", "batch", "length", "test_rows"):
        if getattr(recipe, name) < 1:
            raise UserError(f"{name} must be at least 1, not {getattr(recipe, name)}")
    for name in ("word_dropout", "embedding_dropout"):
        if not 0 <= getattr(recipe, name) <= 1:
            raise UserError(f"{name} must be from 0 to 1, not {getattr(recipe, name):g}")
    if recipe.minutes is not None and not 0 < recipe.minutes < math.inf:
        raise UserError(f"minutes must be more than 0, not {recipe.minutes:g}")
    if not 0 <= recipe.meta_objective < math.inf:
        raise UserError(f"meta_objective must not be negative, not {recipe.meta_objective:g}")
    if recipe.tasks is not None and not recipe.tasks:
        raise UserError("the list of tasks is empty; accepted: some of 1 to 20")
    check_seed(recipe.seed)
    from fastweights.training.engine.settings import check_device

    check_device(recipe.device)


def options(model: str, recipe: CatBAbI) -> dict[str, Any]:
    """Put the backbone's options together: the model's own, the recipe's fields, what `--set` says.

    Raises:
        UserError: for an option that the model does not have, or that is said elsewhere.
    """
    chosen = dict(BACKBONES[model].options) if model in BACKBONES else {}
    given = {name: getattr(recipe, name) for name in MEMORY_OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    if given and model != "fwm":
        raise UserError(
            f"{', '.join(given)} is for fwm alone; --set gives {model} options of its own"
        )
    elsewhere = MEMORY_OPTIONS if model == "fwm" else ()
    return {**chosen, **given, **further(model, recipe.set, elsewhere)}
