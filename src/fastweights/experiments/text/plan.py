"""The plan of a word language model: what is trained, once every choice is made."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastweights.errors import UserError
from fastweights.experiments.options import OptimiserPlan, extra_backbone_options
from fastweights.experiments.plan import Record, TimedPlan, check_positive, check_share
from fastweights.experiments.terminal import counted
from fastweights.experiments.text.options import TextOptions, text_name, unit
from fastweights.experiments.text.presets import MODEL_OPTIONS
from fastweights.io.typed import Size

if TYPE_CHECKING:
    from fastweights.experiments.text.progress import EpochProgress
    from fastweights.tasks import Text
    from fastweights.training import Settings, Words

EMBEDDING_RANGE = 0.25
"""Embeddings begin uniform between minus this and this (the authors' program)."""


@dataclass(frozen=True, kw_only=True)
class TextPlan(OptimiserPlan, TimedPlan, TextOptions):
    """The options filled in; only those that the model does not have, or nobody wants, are None."""

    epochs: int = field()
    embedding: int = field()
    hidden: int = field()
    word_dropout: float = field()
    input_dropout: float = field()
    batch: Size = field()
    length: Size = field()
    learning_rate: float = field()
    warmup: int = field()
    weight_decay: float = field()
    test_rows: int = field()

    fingerprint_fields = (
        *("data", "model", "preset", "tokenizer", "vocabulary", "embedding", "hidden"),
        *(*MODEL_OPTIONS, "set", "word_dropout", "input_dropout", "batch", "length", "optimiser"),
        *("learning_rate", "schedule", "warmup", "weight_decay", "clip", "averaging_epoch"),
        *("averaging_patience", "averaging_rate", "test_rows", "precision"),
    )

    def check(self) -> None:
        check_positive(self, "embedding", "hidden", "epochs", "batch", "length", "test_rows")
        check_share(self, "input_dropout", "word_dropout")
        check_positive(self, "averaging_epoch", "averaging_patience")
        super().check()
        self._backbone_options()

    def deciding(self) -> Record:
        """Return the epochs too, where the learning rate falls with them."""
        return super().deciding() | ({"epochs": self.epochs} if self.schedule == "cosine" else {})

    def extent(self) -> dict[str, float]:
        return {"epochs": self.epochs}

    def ends(self, epochs: int | None = None) -> tuple[int, ...]:
        """Return the step after which each epoch ends."""
        return _ends(self.task(), self.batch, self.length, self.seed, epochs or self.epochs)

    @property
    def unit(self) -> str:
        """Return what a token is called."""
        return unit(self.tokenizer)

    @property
    def title(self) -> str:
        return f"{text_name(self.data)}, {self.tokenizer}"

    def folder_name(self) -> str:
        return f"text-{text_name(self.data)}-{self.model}-{self.preset}-s{self.seed}"

    def task_config(self) -> Record:
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

    def network(self) -> Record:
        more = extra_backbone_options(self.model, self.set, MODEL_OPTIONS)
        return {
            "hidden": self.hidden,
            "embedding": self.embedding,
            "embedding_range": EMBEDDING_RANGE,
            "tied": True,
            "word_dropout": self.word_dropout,
            "embedding_dropout": self.input_dropout,
            "options": {**self._backbone_options(), **more},
        }

    def _backbone_options(self) -> Record:
        from fastweights import models

        values = {name: getattr(self, name) for name in MODEL_OPTIONS}
        given = {name: value for name, value in values.items() if value is not None}
        foreign = [name for name in given if name not in models.options(self.model)]
        if foreign:
            raise UserError(f"model {self.model!r} has no {', '.join(foreign)}")
        return given

    def sizes(self) -> dict[str, int]:
        classes = self.task().classes
        return {"input": classes, "classes": classes}

    def engine_settings(self) -> Settings:
        from fastweights.training import Averaging

        ends, averaging = self.ends(), None
        if self.averaging_rate is not None:
            start = self.averaging_epoch and self.ends(self.averaging_epoch)[-1]
            averaging = Averaging(self.averaging_rate, start, self.averaging_patience)
        settings = self.settings(
            ends[-1],
            optimiser=self.optimiser,
            schedule=self.schedule,
            weight_decay=self.weight_decay,
        )
        return dataclasses.replace(
            settings,
            evaluations=ends,
            averaging=averaging,
            keep="validation_cross_entropy",
            precision=self.precision,
        )

    def source(self) -> Words:
        """Return the text, cut into rows."""
        from fastweights.training import Words

        return Words(
            self.task(),
            batch=self.batch,
            length=self.length,
            seed=self.seed,
            device=self.device,
        )

    def summary(self) -> str:
        task = self.task()
        time = self.duration(counted(self.epochs, "epoch"))
        words = f"{task.counts['train']:,} {self.unit}s to learn from, {task.classes:,} different"
        steps = f"{time}, steps of {self.batch} × about {self.length}"
        return "; ".join((f"{text_name(self.data)}, {words}", steps, *task.notes))

    def progress(self) -> EpochProgress:
        from fastweights.experiments.text.progress import EpochProgress

        return EpochProgress(
            f"{self.model}, {text_name(self.data)}",
            ends=self.ends(),
            words=self.task().counts["train"],
            unit=f"{self.unit}s",
            limit=self.seconds,
        )


@functools.lru_cache(maxsize=4)
def _ends(task: Text, batch: int, length: int, seed: int, epochs: int) -> tuple[int, ...]:
    from fastweights.training import Words

    return Words(task, batch=batch, length=length, seed=seed).steps(epochs)
