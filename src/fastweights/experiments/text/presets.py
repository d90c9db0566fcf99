"""The presets of word language models: what is taken where nothing is given."""

from __future__ import annotations

from fastweights.data.text import CORPORA
from fastweights.errors import UserError
from fastweights.experiments.plan import Record
from fastweights.experiments.text.options import TextOptions

MODEL_OPTIONS = (
    *("layers", "memory_size", "reads", "recurrent_dropout", "hidden_dropout", "output_dropout"),
    *("activation", "slowness"),
)
"""Fields that become options of the backbone, where it has them."""

PAPER: dict[str, Record] = {
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

SMALL: dict[str, Record] = {
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

SMALL_OWN: dict[str, Record] = {"awd-txl": {"layers": 3, "learning_rate": 2e-3}}
"""What the preset small has for a model of its own: as many weights as the LSTMs' make three layers of attention, whose
rate is not theirs. In one epoch of Penn Treebank it learned more at 2e-3 than at 1e-3 and 5e-4 (one seed)."""

WORDS_READ, MAX_EPOCHS = 2_800_000, 30
"""What the preset small reads of a user's own text: as many words as of Penn Treebank, in no more epochs than this."""

WORDS = {"ptb": 929_589, "wikitext-2": 2_088_628}
"""Words to learn from, as published: how long a run on them is, is known without the data."""

WARMUP_SHARE = 10
"""A warm-up that nobody asked for is at most one step in so many of the run's."""

TIMED_EPOCHS = 100
"""Epochs at least of a run that ends at a time: more than it is expected to read."""


def epochs_for(words: int) -> int:
    """Return how often a text of so many words is read by the preset small.

    Example:
        >>> epochs_for(10_000), epochs_for(929_589), epochs_for(100_000_000)
        (30, 3, 1)
    """
    return min(MAX_EPOCHS, max(1, round(WORDS_READ / words)))


def defaults(options: TextOptions) -> dict[str, object]:
    """Return every default: the preset's for the text (for files, Penn Treebank's), as far as the model has it.

    Raises:
        UserError: if there is no text, or a time is given with a schedule that ends at a step.
    """
    from fastweights import models

    if not options.data:
        raise UserError(f"the list of texts is empty; accepted: {', '.join(CORPORA)}, or files")
    if options.minutes is not None and options.schedule == "cosine":
        raise UserError("a cosine ends at a step: leave out one of minutes and schedule")
    preset = PRESETS[options.preset]
    chosen = dict(preset.get(options.data[0], preset["ptb"]))
    if options.preset == "small":
        chosen |= SMALL_OWN.get(models.describe(options.model).name, {})
    accepted = models.options(options.model)
    for name in MODEL_OPTIONS:
        if name not in accepted:
            del chosen[name]
    if "output_size" not in accepted:
        # What the softmax shares with the embedding is as wide as the backbone's output.
        chosen["hidden"] = options.embedding or chosen["embedding"]
    if options.averaging_epoch is not None or options.averaging_patience is not None:
        chosen["averaging_rate"] = chosen["averaging_rate"] or PAPER["ptb"]["averaging_rate"]
    if options.averaging_patience is not None:
        chosen["averaging_epoch"] = None
    own = options.data[0] not in WORDS
    if options.minutes is not None:
        chosen |= {"schedule": "constant", "epochs": max(chosen["epochs"], TIMED_EPOCHS)}
    elif own and options.preset == "small" and options.epochs is None:
        chosen["epochs"] = epochs_for(options.task().counts["train"])
    if options.warmup is None and chosen["warmup"]:
        words = options.task().counts["train"] if own else WORDS[options.data[0]]
        # What may go on with more epochs is the same run however many there are now: it is warm within its first.
        falls = (options.schedule or chosen["schedule"]) == "cosine"
        epochs = (options.epochs or chosen["epochs"]) if falls else 1
        batch, length = options.batch or chosen["batch"], options.length or chosen["length"]
        steps = epochs * words // (batch * length)
        chosen["warmup"] = min(chosen["warmup"], steps // WARMUP_SHARE)
    return chosen
