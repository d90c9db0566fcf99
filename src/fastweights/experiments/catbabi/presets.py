"""The settings of each model on catbAbI: what is taken where nothing is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastweights.errors import UserError
from fastweights.experiments.catbabi.options import CatBAbIOptions

MEMORY_OPTIONS = ("memory_size", "reads", "variant", "combine", "residual")
"""Fields that only the Fast Weight Memory understands; they become the backbone's options."""

MAKING = (
    *("names", "window", "questions", "people", "things"),
    *("subquestions", "pool", "pool_tasks"),
)
"""Fields of generated stories."""


class Backbone(NamedTuple):
    """A model's size and how it is trained, both as Schlag et al. 2021 have it where they say so.

    Attributes:
        hidden: units of the backbone.
        options: of the backbone.
        training: fields of the experiment's options.
        steps, warmup: of the training.
        alone: whether the test reads the whole split in one row, as the paper does; the others read
            it in 32 rows, since a row takes them too long.
    """

    hidden: int
    options: Mapping[str, object]
    training: Mapping[str, object]
    steps: int = 4_000
    warmup: int = 200
    alone: bool = False


BACKBONES = {
    "fwm": Backbone(256, {}, {"learning_rate": 2e-3}, steps=24_000, alone=True),
    "residual-lstm": Backbone(
        512,
        {"layers": 4, "hidden_dropout": 0.1, "recurrent_dropout": 0.1},
        {"word_dropout": 0.01, "embedding_dropout": 0.1, "batch": 8},
        warmup=50,
    ),
    "transformer-xl": Backbone(
        512,
        {"layers": 3, "inner_size": 2048, "memory_length": 1200},
        {"learning_rate": 2.5e-4, "batch": 8},
        warmup=20,
    ),
    "mnm": Backbone(256, {}, {"batch": 16}, warmup=50),
    "fast-weights": Backbone(512, {"decay": 0.99}, {"learning_rate": 5e-4}),
    "deltanet": Backbone(448, {"heads": 7}, {"learning_rate": 2e-3}, steps=10_000, alone=True),
    "gated-deltanet": Backbone(
        256, {"heads": 4}, {"learning_rate": 2e-3}, steps=10_000, alone=True
    ),
}
"""By registered name. Batches are smaller than the paper's where a step would take many seconds here."""


def defaults(options: CatBAbIOptions) -> dict[str, object]:
    """Return every default for a model: what all have in common, then the model's own.

    Raises:
        UserError: if an option is given that the model does not have.
    """
    own = BACKBONES.get(options.model, Backbone(256, {}, {}))
    timed = options.minutes is not None
    if timed and options.schedule == "cosine":
        raise UserError("a cosine ends at a step: leave out one of minutes and schedule")
    chosen = {
        "embedding": 256,
        "hidden": own.hidden,
        "word_dropout": 0.0,
        "embedding_dropout": 0.0,
        "batch": 32,
        "optimiser": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 0.05,
        "schedule": "constant" if timed else "cosine",
        "clip": 1.0,
        "test_rows": 1 if own.alone else 32,
        "validation_segments": 15 if own.alone else 2,
        **own.training,
    }
    default_steps = options.steps_or_endless(own.steps)
    steps = options.steps or default_steps
    interval = 500 if own.alone else 40
    stories = options.stories or found_stories(options)
    return {
        **chosen,
        "stories": stories,
        "names": "release" if stories == "generated" else None,
        "window": 5 if stories == "generated" else None,
        "steps": default_steps,
        "warmup": own.warmup if timed else min(own.warmup, steps // 10),
        "evaluation_interval": interval if timed else max(50, steps // 40),
    }


def found_stories(options: CatBAbIOptions) -> str:
    """Return which stories are taken where none are named: those of a release, or generated ones where none is found.

    Raises:
        UserError: if there is none where the options say that it is.
    """
    from fastweights.data import babi_files

    if any(getattr(options, name) is not None for name in MAKING):
        return "generated"
    try:
        babi_files.find(options.data_dir)
    except UserError:
        if options.data_dir is not None:
            raise
        return "generated"
    return "published"
