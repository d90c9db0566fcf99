"""The presets of word language models: what a recipe takes where nothing is said, and what it refuses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastweights.data.text import corpora
from fastweights.errors import UserError, check_seed
from fastweights.experiments.options import further

if TYPE_CHECKING:
    from fastweights.experiments.text.experiment import Resolved, Text

MODEL_OPTIONS = (
    *("layers", "memory_size", "reads", "recurrent_dropout", "hidden_dropout", "output_dropout"),
    *("activation", "slowness"),
)
"""Fields that become options of the backbone, where it has them."""

PAPER: dict[str, Mapping[str, Any]] = {
    "ptb": {
        "embedding": 400,
        "hidden": 1150,
        "layers": 3,
        "memory_size": 32,
        "reads": 3,
        "input_dropout": 0.5,
        "word_dropout": 0.1,
        "hidden_dropout": 0.3,
        "output_dropout": 0.4,
        "recurrent_dropout": 0.66,
        "activation": 2.0,
        "slowness": 1.0,
        "batch": 20,
        "length": 70,
        "optimiser": "adam",
        "learning_rate": 1e-3,
        "schedule": "constant",
        "warmup": 0,
        "weight_decay": 1.2e-6,
        "clip": 0.25,
        "epochs": 900,
        "averaging_epoch": 766,
        "averaging_rate": 2.0,
        "test_rows": 1,
    }
}
PAPER["wikitext-2"] = {
    **PAPER["ptb"],
    "input_dropout": 0.7,
    "hidden_dropout": 0.25,
    "recurrent_dropout": 0.61,
    "batch": 80,
    "epochs": 1600,
    "averaging_epoch": 1372,
    "averaging_rate": 0.5,
}
"""The commands of Schlag et al. 2021 by text. Their `asgdtime` of 765 and 1371 switches an epoch later than it says."""

SMALL: dict[str, Mapping[str, Any]] = {
    "ptb": {
        **PAPER["ptb"],
        "embedding": 160,
        "hidden": 320,
        "layers": 2,
        "input_dropout": 0.1,
        "word_dropout": 0.0,
        "hidden_dropout": 0.1,
        "output_dropout": 0.1,
        "recurrent_dropout": 0.1,
        "activation": 0.0,
        "slowness": 0.0,
        "length": 35,
        "learning_rate": 6e-3,
        "schedule": "cosine",
        "warmup": 100,
        "epochs": 3,
        "averaging_epoch": None,
        "averaging_rate": None,
        "test_rows": 10,
    }
}
SMALL["wikitext-2"] = {**SMALL["ptb"], "embedding": 64, "hidden": 256, "epochs": 1}
"""Below 5M weights and 8 minutes on two cores: Adam with a rate that falls along a cosine, little dropout for so few
epochs. Both models learned more in two epochs of 200,000 words at 8e-3 than at 4e-3; 1.6e-2 was too much."""

PRESETS = {"small": SMALL, "paper": PAPER}

WORDS_READ, MOST_EPOCHS = 2_800_000, 30
"""What the preset small reads of a user's own text: as many words as of Penn Treebank, in no more epochs than this."""


def epochs_for(words: int) -> int:
    """Choose how often a text of so many words is read by the preset small.

    Example:
        >>> epochs_for(10_000), epochs_for(929_589), epochs_for(100_000_000)
        (30, 3, 1)
    """
    return min(MOST_EPOCHS, max(1, round(WORDS_READ / words)))


WORDS = {"ptb": 929_589, "wikitext-2": 2_088_628}
"""Words to learn from, as published: how long a run on them is, is known without the data."""

WARMING = 10
"""A warm-up that nobody asked for is at most one step in so many of the run's."""


def fitted(recipe: Resolved, given: Text) -> Resolved:
    """Choose what depends on how long the text is: how often a user's own is read, and a warm-up that the run has
    room for.

    Args:
        recipe: with everything else chosen.
        given: what was given.
    """
    own = recipe.data[0] not in WORDS
    if own and not (given.epochs or recipe.minutes or recipe.preset == "paper"):
        words = recipe.task().counts["train"]
        recipe = dataclasses.replace(recipe, epochs=epochs_for(words))
    if given.warmup is None and recipe.warmup:
        words = recipe.task().counts["train"] if own else WORDS[recipe.data[0]]
        # What may go on with more epochs is the same run however many there are now: it is warm within its first.
        epochs = recipe.decisive().get("epochs", 1)
        steps = epochs * words // (recipe.batch * recipe.length)
        recipe = dataclasses.replace(recipe, warmup=min(recipe.warmup, steps // WARMING))
    return recipe


def settings(model: str, recipe: Text) -> dict[str, Any]:
    """Choose every setting: the preset's for the text (for files, Penn Treebank's), as far as the model has it.

    Args:
        model: its registered name; `awd-lstm` and `awd-fwm` get the same.
        recipe: what was given.
    """
    from fastweights import models

    preset = PRESETS[recipe.preset]
    name = recipe.data[0] if recipe.data else ""
    chosen = dict(preset.get(name, preset["ptb"]))
    accepted = models.options(model)
    for option in MODEL_OPTIONS:
        if option not in accepted:
            del chosen[option]
    if "output_size" not in accepted:
        # What the softmax shares with the embedding is as wide as what the backbone puts out.
        chosen["hidden"] = recipe.embedding or chosen["embedding"]
    if recipe.minutes is not None:
        # What ends at a time and not at a step cannot have a schedule that ends with the steps.
        chosen |= {"schedule": "constant", "epochs": max(chosen["epochs"], 100)}
    if recipe.averaging_epoch is not None or recipe.averaging_patience is not None:
        chosen["averaging_rate"] = chosen["averaging_rate"] or PAPER["ptb"]["averaging_rate"]
    if recipe.averaging_patience is not None:
        chosen["averaging_epoch"] = None
    return chosen


def check(recipe: Resolved) -> None:
    """Refuse values out of range; what a model, the task or the engine checks for itself is left to them.

    Raises:
        UserError: naming the first.
    """
    if not recipe.data:
        raise UserError(f"the list of texts is empty; accepted: {', '.join(corpora())}, or files")
    for name in ("embedding", "hidden", "epochs", "batch", "length", "test_rows"):
        if getattr(recipe, name) < 1:
            raise UserError(f"{name} must be at least 1, not {getattr(recipe, name)}")
    for name in ("input_dropout", "word_dropout"):
        if not 0 <= getattr(recipe, name) <= 1:
            raise UserError(f"{name} must be from 0 to 1, not {getattr(recipe, name):g}")
    for name in ("averaging_epoch", "averaging_patience"):
        value = getattr(recipe, name)
        if value is not None and value < 1:
            raise UserError(f"{name} must be at least 1, not {value}")
    if recipe.minutes is not None and not 0 < recipe.minutes < math.inf:
        raise UserError(f"minutes must be more than 0, not {recipe.minutes:g}")
    if recipe.minutes is not None and recipe.schedule == "cosine":
        raise UserError("a cosine ends at a step: leave out one of minutes and schedule")
    check_seed(recipe.seed)
    from fastweights import models
    from fastweights.training.engine.settings import check_device

    foreign = [name for name in _given(recipe) if name not in models.options(recipe.model)]
    if foreign:
        raise UserError(f"model {recipe.model!r} has no {', '.join(foreign)}")
    check_device(recipe.device)


def options(model: str, recipe: Resolved) -> dict[str, Any]:
    """Put the backbone's options together: the recipe's fields, then what `--set` says.

    Raises:
        UserError: for an option that the model does not have, or that is said elsewhere.
    """
    return {**_given(recipe), **further(model, recipe.set, MODEL_OPTIONS)}


def _given(recipe: Resolved) -> dict[str, Any]:
    given = {name: getattr(recipe, name) for name in MODEL_OPTIONS}
    return {name: value for name, value in given.items() if value is not None}


def name_of(data: tuple[str, ...]) -> str:
    """Give a text a short name.

    Example:
        >>> name_of(("ptb",)), name_of(("me/letters.txt",)), name_of(("emma/1.txt", "emma/2.txt", "emma/3.txt"))
        ('ptb', 'letters', 'emma')
    """
    if data[0] in corpora():
        return data[0]
    file = Path(data[0])
    return (file.stem if len(data) == 1 else file.parent.name) or "text"


def unit(kind: str) -> str:
    """Say what a token of a kind of tokenizer is.

    Example:
        >>> unit("words"), unit("bpe")
        ('word', 'piece')
    """
    return "word" if kind == "words" else "piece"
