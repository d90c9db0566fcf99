"""catbAbI (Schlag et al. 2021, section 4.1), as one value that can be run.

`CatBAbI` holds every choice. A choice left at None is made by `resolve`, from `settings.py` beside it.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from fastweights.errors import UserError
from fastweights.experiments.catbabi.defaults import check, options, settings
from fastweights.experiments.experiment import Recipe, filled

if TYPE_CHECKING:
    from fastweights.models import SequenceModel
    from fastweights.tasks import CatBAbI as Task
    from fastweights.training import Outcome, Settings, Stream, TerminalProgress


@dataclass(frozen=True)
class CatBAbI(Recipe):
    """Train a model to answer the questions in an endless text of bAbI stories."""

    model: str = "fwm"
    """Backbone; `fastweights list` shows them all."""
    mode: Literal["qa", "lm"] = "qa"
    """`qa`: learn the answers. `lm`: learn every word, the answers among them."""
    data_dir: Path | None = None
    """Folder or archive of the bAbI release [default: FASTWEIGHTS_DATA or the cache folder]."""
    size: Literal["10k", "1k"] = "10k"
    """Which release: 10,000 or 1,000 training questions a task."""
    tasks: tuple[int, ...] | None = None
    """Tasks, 1 to 20 [default: all]."""
    stories: Literal["published", "all"] = "published"
    """`published`: the authors' counts, each file's last story lost. `all`: every story."""
    rename: Literal["none", "missing", "all"] = "missing"
    """Stories with people, places and things renamed: only copies that stand in for missing ones of task 3, or all."""
    rename_tasks: tuple[int, ...] = ()
    """Tasks whose stories are renamed at every draw, besides."""
    often: tuple[int, ...] = ()
    """Tasks whose stories come several times an epoch."""
    times: int = 2
    """How many times."""
    embedding: int | None = None
    """Size of the word embedding."""
    hidden: int | None = None
    """Hidden units of the backbone."""
    memory_size: int | None = None
    """fwm: size d of the memory's values and keys."""
    reads: int | None = None
    """fwm: chained reads Nr."""
    variant: Literal["catbabi", "paper", "language_model", "meta_rl"] | None = None
    """fwm: which of the published forms."""
    combine: Literal["product", "concat"] | None = None
    """fwm: keys combined by tensor product or by concatenation."""
    residual: bool | None = None
    """fwm: add the LSTM's output to the memory's."""
    word_dropout: float | None = None
    """The probability that a word's whole embedding is dropped."""
    embedding_dropout: float | None = None
    """The probability that an element of a word's embedding is dropped."""
    set: tuple[str, ...] = ()
    """Further options of the backbone, NAME=VALUE, such as memory_length=400."""
    meta_objective: float = 1.0
    """mnm: weight of the memory's own reconstruction loss."""
    steps: int | None = None
    """Training steps."""
    minutes: float | None = None
    """End after this many minutes of training instead (resumable with more); the learning rate stays constant."""
    batch: int | None = None
    """Rows, each an endless stream of its own."""
    length: int = 200
    """Steps of truncated back-propagation through time."""
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd"] | None = None
    """Optimiser."""
    learning_rate: float | None = None
    """Peak learning rate."""
    weight_decay: float | None = None
    """Weight decay, decoupled in adamw."""
    warmup: int | None = None
    """Steps of linear warm-up."""
    schedule: Literal["constant", "cosine"] | None = None
    """Learning rate after the warm-up."""
    clip: float | None = None
    """Clip the gradient's global norm here; 0 never clips."""
    evaluation_interval: int | None = None
    """Steps between evaluations."""
    validation_segments: int | None = None
    """Segments of each of 64 rows of validation text that an evaluation during training reads."""
    evaluation_start: Literal["zeros", "row"] = "zeros"
    """Where an evaluation in training starts: zeros, or the state of training's row 0 (the authors'); tests: zeros."""
    test_rows: int | None = None
    """Rows that the test reads the split in; 1 is exact."""
    seed: int = 0
    """Seed of the weights and of the order of the stories."""
    device: str = "cpu"
    """Where to train: cpu, cuda, cuda:1 …"""
    backend: Literal["auto", "reference", "chunked", "cpu", "cuda"] = "auto"
    """Which implementation of the recurrence runs."""

    aside: ClassVar[tuple[str, ...]] = ("data_dir", "minutes")

    def resolve(self) -> Resolved:
        """Return the recipe with every None filled in that the model understands, checked.

        Raises:
            UserError: on a value out of range, an unknown model, or an option that the model does not have.
        """
        from fastweights import models

        model = models.describe(self.model).name
        if self.minutes is not None and self.schedule == "cosine":
            raise UserError("a cosine ends at a step: leave out one of minutes and schedule")
        resolved = Resolved(**filled(self, settings(model, self), model=model))
        check(resolved)
        return resolved


@dataclass(frozen=True)
class Resolved(CatBAbI):
    """A recipe with nothing left to choose; only options that the model does not have are None."""

    embedding: int = 256
    hidden: int = 256
    word_dropout: float = 0.0
    embedding_dropout: float = 0.0
    batch: int = 32
    steps: int = 1
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd"] = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup: int = 0
    schedule: Literal["constant", "cosine"] = "constant"
    clip: float = 0.0
    evaluation_interval: int = 1
    validation_segments: int = 1
    test_rows: int = 1

    def task(self) -> Task:
        """Load the task."""
        return _task(self.data_dir, json.dumps(self.task_options()))

    def task_options(self) -> dict[str, Any]:
        """The task's options as plain values."""
        rename = self.rename
        if self.rename_tasks and rename != "all":
            rename = self.rename_tasks
        return {
            "size": self.size,
            "tasks": self.tasks,
            "stories": self.stories,
            "rename": rename,
            "repeats": {str(task): self.times for task in self.often},
        }

    def folder_name(self) -> str:
        return f"catbabi-{self.mode}-{self.model}-h{self.hidden}-s{self.seed}"

    def describe(self) -> dict[str, Any]:
        return {"task": f"catbAbI, {self.mode}", "hidden": self.hidden}

    def task_config(self) -> dict[str, Any]:
        task = self.task()
        return {
            "name": "catbabi",
            "options": self.task_options(),
            "vocabulary": list(task.vocabulary),
            "fingerprint": task.fingerprint,
            "counts": {split: counts._asdict() for split, counts in task.counts.items()},
            "notes": list(task.notes),
        }

    def network(self) -> dict[str, Any]:
        return {
            "hidden": self.hidden,
            "embedding": self.embedding,
            "head_bias": False,
            "word_dropout": self.word_dropout,
            "embedding_dropout": self.embedding_dropout,
            "options": options(self.model, self),
        }

    def sizes(self) -> dict[str, int]:
        classes = len(self.task().vocabulary)
        return {"input": classes, "classes": classes}

    def engine_settings(self) -> Settings:
        from fastweights.training import Optimiser, Schedule, Settings

        return Settings(
            steps=self.steps,
            seconds=None if self.minutes is None else 60 * self.minutes,
            optimiser=Optimiser(self.optimiser, self.learning_rate, weight_decay=self.weight_decay),
            schedule=Schedule(self.warmup, self.schedule),
            clip=self.clip,
            seed=self.seed,
            evaluation_interval=self.evaluation_interval,
            checkpoint_seconds=30.0,
            device=self.device,
        )

    def source(self) -> Stream:
        """Make the streams."""
        from fastweights.training import Stream

        return Stream(
            self.task(),
            batch=self.batch,
            length=self.length,
            mode=self.mode,
            seed=self.seed,
            device=self.device,
            validation_segments=self.validation_segments,
            start=self.evaluation_start,
            auxiliary=self.meta_objective,
        )

    def small(self) -> bool:
        return False

    def opening(self, model: SequenceModel) -> str:
        from fastweights.experiments.runner import backend_of

        weights = sum(weight.numel() for weight in model.parameters())
        counts = self.task().counts["train"]
        time = f"{self.steps:,} steps" if self.minutes is None else f"{self.minutes:g} minutes"
        notes = "".join(f"; {note}" for note in self.task().notes)
        return (
            f"{self.model}: {weights:,} weights, backend {backend_of(model)}; catbAbI, {self.mode},"
            f" {counts.stories:,} stories with {counts.questions:,} questions to learn from;"
            f" {time} of {self.batch} × {self.length} words{notes}"
        )

    def progress(self) -> TerminalProgress:
        from fastweights.training import TerminalProgress

        title = f"{self.model}, catbAbI {self.mode}"
        return TerminalProgress(
            title,
            work=self.batch * self.length,
            unit="words",
            limit=None if self.minutes is None else 60 * self.minutes,
        )

    def examine(
        self, model: SequenceModel, outcome: Outcome
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        from fastweights.experiments.catbabi.testing import examine

        tested, samples = examine(
            model,
            self.task(),
            rows=self.test_rows,
            validation_segments=None if self.test_rows == 1 else self.validation_segments,
            told=True,
        )
        about = {"mode": self.mode, "notes": list(self.task().notes)}
        return {**about, **tested}, samples


@functools.lru_cache(maxsize=2)
def _task(data_dir: Path | None, options: str) -> Task:
    from fastweights import tasks

    return tasks.build("catbabi", data_dir=data_dir, **json.loads(options))
