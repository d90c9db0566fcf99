"""Word language models (Schlag et al. 2021, section 4.3), as one value that can be run.

`Text` holds every choice. A choice left at None is made by `resolve`, from `settings.py` beside it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from fastweights.data.text import corpora
from fastweights.experiments.experiment import Recipe, filled
from fastweights.experiments.text.defaults import check, fitted, name_of, options, settings, unit

if TYPE_CHECKING:
    from fastweights.experiments.text.progress import EpochProgress
    from fastweights.models import SequenceModel
    from fastweights.tasks import Text as Task
    from fastweights.training import Outcome, Settings, Words

EMBEDDING_RANGE = 0.25
"""Embeddings begin uniform between minus this and this (the authors' program)."""


@dataclass(frozen=True)
class Text(Recipe):
    """Train a model to tell the next word of a text."""

    data: tuple[str, ...] = ("ptb",)
    """ptb, wikitext-2, one text file (cut by its lines into 90, 5 and 5 %), or three: train, valid, test."""
    data_dir: Path | None = None
    """Folder that holds ptb or wikitext-2 [default: FASTWEIGHTS_DATA or the cache folder]."""
    model: str = "awd-fwm"
    """Backbone; `fastweights list` shows them all."""
    preset: Literal["small", "paper"] = "small"
    """Settings of what is left out. `small`: below 5M weights, minutes; `paper`: the authors', for a GPU and days."""
    tokenizer: Literal["words", "bpe"] = "words"
    """`words`: what stands between spaces. `bpe`: frequent pieces of words (needs the extra `text`)."""
    vocabulary: int | None = None
    """Most words or pieces in the vocabulary [default: all words, 8192 pieces]."""
    epochs: int | None = None
    """How often the text is read, your own short one more often; a run of constant rate can be resumed with more."""
    minutes: float | None = None
    """End after this much training, if the epochs do not end before; the rate is then constant."""
    embedding: int | None = None
    """Size of the word embedding, which the softmax shares."""
    hidden: int | None = None
    """Hidden units of each layer but the last, which has as many as the embedding."""
    layers: int | None = None
    """Layers; in awd-fwm the last has the memory."""
    memory_size: int | None = None
    """awd-fwm: size d of the memory's values and keys."""
    reads: int | None = None
    """awd-fwm: chained reads Nr."""
    set: tuple[str, ...] = ()
    """Further options of the backbone, NAME=VALUE, such as variant=paper."""
    word_dropout: float | None = None
    """The probability that a word's whole embedding is dropped."""
    input_dropout: float | None = None
    """The probability that a feature of the embeddings is dropped, for all steps of a row."""
    hidden_dropout: float | None = None
    """The same between the layers."""
    output_dropout: float | None = None
    """The same of the last layer's output."""
    recurrent_dropout: float | None = None
    """The probability that a recurrent weight is dropped."""
    activation: float | None = None
    """Weight of the loss on large outputs (AR)."""
    slowness: float | None = None
    """Weight of the loss on outputs that change from step to step (TAR)."""
    batch: int | None = None
    """Rows that are read side by side."""
    length: int | None = None
    """Steps of truncated back-propagation through time, on average about; each piece's length is drawn."""
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd"] | None = None
    """Optimiser."""
    learning_rate: float | None = None
    """Peak learning rate; a step's is multiplied by its length ÷ --length."""
    schedule: Literal["constant", "cosine"] | None = None
    """Learning rate after the warm-up."""
    warmup: int | None = None
    """Steps of linear warm-up [default: the preset's, at most a tenth of the run]."""
    weight_decay: float | None = None
    """Weight decay, decoupled in adamw."""
    clip: float | None = None
    """Clip the gradient's global norm here; 0 never clips."""
    averaging_epoch: int | None = None
    """Go over to averaged SGD after this epoch [default: never in `small`, the authors' epoch in `paper`]."""
    averaging_patience: int | None = None
    """Go over when the validation loss is above the best of all but so many last epochs (Merity et al. 2018)."""
    averaging_rate: float | None = None
    """Learning rate of averaged SGD."""
    test_rows: int | None = None
    """Rows that the test text is read in; 1 is exact."""
    seed: int = 0
    """Seed of the weights, of what is dropped and of the pieces' lengths."""
    device: str = "cpu"
    """Where to train: cpu, cuda, cuda:1 …"""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: matrix products in half as many bits, for GPUs."""
    backend: Literal["auto", "reference", "chunked", "cpu", "cuda"] = "auto"
    """Which implementation of the memory's recurrence runs."""

    aside: ClassVar[tuple[str, ...]] = ("data_dir", "minutes", "epochs")

    def __post_init__(self) -> None:
        # A run finds its files again from any folder.
        known = corpora()
        whole = [each if each in known else _whole(each) for each in self.data]
        object.__setattr__(self, "data", tuple(whole))

    def resolve(self) -> Resolved:
        """Return the recipe with every None filled in that the model understands, checked.

        Raises:
            UserError: on a value out of range, an unknown model, or an option that the model does not have.
        """
        from fastweights import models

        model = models.describe(self.model).name
        resolved = Resolved(**filled(self, settings(model, self), model=model))
        check(resolved)
        return fitted(resolved, self)


@dataclass(frozen=True)
class Resolved(Text):
    """A recipe with nothing left to choose; only options that the model does not have, or nobody wants, are None."""

    epochs: int = 1
    embedding: int = 1
    hidden: int = 1
    word_dropout: float = 0.0
    input_dropout: float = 0.0
    batch: int = 1
    length: int = 1
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd"] = "adam"
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: int = 0
    weight_decay: float = 0.0
    clip: float = 0.0
    test_rows: int = 1

    def decisive(self) -> dict[str, Any]:
        """The epochs too, where the learning rate falls with them."""
        falls = self.schedule == "cosine"
        return super().decisive() | ({"epochs": self.epochs} if falls else {})

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return self.ends()[-1]

    def ends(self, epochs: int | None = None) -> tuple[int, ...]:
        """Give the step after which each epoch ends."""
        return _ends(self.task(), self.batch, self.length, self.seed, epochs or self.epochs)

    def task(self) -> Task:
        """Load the task."""
        return _task(self.data_dir, self.data, self.tokenizer, self.vocabulary)

    def folder_name(self) -> str:
        return f"text-{name_of(self.data)}-{self.model}-{self.preset}-s{self.seed}"

    def describe(self) -> dict[str, Any]:
        return {"task": f"{name_of(self.data)}, {self.tokenizer}", "hidden": self.hidden}

    def task_config(self) -> dict[str, Any]:
        task = self.task()
        return {
            "name": "text",
            "options": task.options,
            "tokenizer": task.tokenizer.record(),
            "fingerprint": task.fingerprint,
            "counts": task.counts,
            "words": task.words,
            "notes": task.notes,
        }

    def network(self) -> dict[str, Any]:
        return {
            "hidden": self.hidden,
            "embedding": self.embedding,
            "embedding_range": EMBEDDING_RANGE,
            "tied": True,
            "word_dropout": self.word_dropout,
            "embedding_dropout": self.input_dropout,
            "options": options(self.model, self),
        }

    def sizes(self) -> dict[str, int]:
        classes = self.task().classes
        return {"input": classes, "classes": classes}

    def engine_settings(self) -> Settings:
        from fastweights.training import Averaging, Optimiser, Schedule, Settings

        averaging = None
        if self.averaging_rate is not None:
            start = self.averaging_epoch and self.ends(self.averaging_epoch)[-1]
            averaging = Averaging(self.averaging_rate, start, self.averaging_patience)
        return Settings(
            steps=self.steps,
            seconds=None if self.minutes is None else 60 * self.minutes,
            optimiser=Optimiser(self.optimiser, self.learning_rate, weight_decay=self.weight_decay),
            schedule=Schedule(self.warmup, self.schedule),
            clip=self.clip,
            seed=self.seed,
            evaluations=self.ends(),
            averaging=averaging,
            keep="validation_cross_entropy",
            checkpoint_seconds=60.0,
            device=self.device,
            precision=self.precision,
        )

    def source(self) -> Words:
        """Cut the text into rows."""
        from fastweights.training import Words

        return Words(
            self.task(),
            batch=self.batch,
            length=self.length,
            seed=self.seed,
            device=self.device,
        )

    def small(self) -> bool:
        return False

    def opening(self, model: SequenceModel) -> str:
        from fastweights.experiments.runner import backend_of

        weights = sum(weight.numel() for weight in model.parameters())
        task = self.task()
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs:,} epochs"
        time = epochs if self.minutes is None else f"{self.minutes:g} minutes"
        notes = "".join(f"; {note}" for note in task.notes)
        return (
            f"{self.model}: {weights:,} weights, backend {backend_of(model)}; {name_of(self.data)},"
            f" {task.counts['train']:,} {unit(self.tokenizer)}s to learn from, {task.classes:,} different; {time},"
            f" steps of {self.batch} × about {self.length}{notes}"
        )

    def progress(self) -> EpochProgress:
        from fastweights.experiments.text.progress import EpochProgress

        return EpochProgress(
            f"{self.model}, {name_of(self.data)}",
            ends=self.ends(),
            words=self.task().counts["train"],
            unit=f"{unit(self.tokenizer)}s",
            limit=None if self.minutes is None else 60 * self.minutes,
        )

    def examine(
        self, model: SequenceModel, outcome: Outcome
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        from fastweights.experiments.text.testing import course, examine

        about = {"data": name_of(self.data), "preset": self.preset, "notes": self.task().notes}
        words = self.task().counts["train"]
        figures = course(outcome, self.ends(), words)
        return {
            **about,
            **figures,
            **examine(model, self.task(), rows=self.test_rows, told=True),
        }, []


def _whole(file: str) -> str:
    return str(Path(file).expanduser().absolute())


@functools.lru_cache(maxsize=2)
def _task(
    data_dir: Path | None, data: tuple[str, ...], tokenizer: str, vocabulary: int | None
) -> Task:
    from fastweights.tasks import Text as Task

    return Task(data, data_dir, tokenizer=tokenizer, vocabulary_size=vocabulary)


@functools.lru_cache(maxsize=4)
def _ends(task: Task, batch: int, length: int, seed: int, epochs: int) -> tuple[int, ...]:
    from fastweights.training import Words

    return Words(task, batch=batch, length=length, seed=seed).steps(epochs)
