"""The plan of catbAbI: what is trained, once every choice is made."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fastweights.errors import UserError, check_count
from fastweights.experiments.catbabi.options import CatBAbIOptions
from fastweights.experiments.catbabi.presets import BACKBONES, MAKING, MEMORY_OPTIONS
from fastweights.experiments.options import (
    OptimiserPlan,
    StepPlan,
    backbone_fields,
    extra_backbone_options,
    has_options,
)
from fastweights.experiments.plan import (
    Record,
    TimedPlan,
    check_not_negative,
    check_positive,
    check_share,
)
from fastweights.experiments.terminal import counted

if TYPE_CHECKING:
    from fastweights.tasks import CatBAbI
    from fastweights.training import Settings, Stream, TerminalProgress

ON_RELEASE = "release_test_"
"""What the figures of a test on the release's split begin with, where the stories of training were generated."""

MOST_ROWS = 4096
"""Rows of a test: each has a state, and of more they read a story or two."""


@dataclass(frozen=True, kw_only=True)
class CatBAbIPlan(StepPlan, OptimiserPlan, TimedPlan, CatBAbIOptions):
    """The options filled in; only options that the model does not have are None."""

    stories: Literal["generated", "release", "published", "all"] = field()
    names: Literal["release", "any", "held-out"] | None = field()
    window: int | None = field()
    embedding: int = field()
    hidden: int = field()
    word_dropout: float = field()
    embedding_dropout: float = field()
    weight_decay: float = field()
    validation_segments: int = field()
    test_rows: int = field()

    fingerprint_fields = (
        *("model", "mode", "size=release", "tasks", "stories=kept", *MAKING),
        *("rename", "rename_tasks", "often", "times"),
        *("embedding", "hidden", *MEMORY_OPTIONS, "word_dropout", "embedding_dropout", "set"),
        *(
            "meta_objective",
            "answer_weight",
            "steps",
            "batch",
            "length",
            "optimiser",
            "learning_rate",
        ),
        *("weight_decay", "warmup", "schedule", "clip", "evaluation_interval"),
        *("validation_segments", "evaluation_start", "test_rows"),
    )

    def check(self) -> None:
        super().check()
        check_positive(self, "hidden", "embedding", "steps", "batch", "length")
        check_count("test_rows", self.test_rows, MOST_ROWS)
        check_share(self, "word_dropout", "embedding_dropout")
        check_not_negative(self, "meta_objective")
        if self.tasks is not None and not self.tasks:
            raise UserError("the list of tasks is empty; accepted: some of 1 to 20")
        given = [name for name in MAKING if getattr(self, name) is not None]
        if given and self.kept != "generated":
            raise UserError(f"{given[0]} is of generated stories: --stories generated")

    def check_figure(self, name: str) -> None:
        """Raise `UserError` if a figure is of the release, which is not at hand, or of other stories of training."""
        if not name.startswith(ON_RELEASE):
            return
        if self.kept != "generated":
            raise UserError(f"{name} is of generated stories: --stories generated")
        try:
            released(self.tasks, self.data_dir)
        except UserError as error:
            raise UserError(f"{name} is measured on the release: {error}") from None

    @property
    def kept(self) -> str:
        """Which stories, by the name that recorded rows have for it."""
        return "published" if self.stories == "release" else self.stories

    def task(self) -> CatBAbI:
        """Load the task."""
        return _task(self.data_dir, json.dumps(self._task_options()))

    def _task_options(self) -> Record:
        named = self.rename_tasks if self.rename_tasks and self.rename != "all" else self.rename
        return {
            "size": self.release,
            "tasks": self.tasks,
            "stories": self.kept,
            "rename": named,
            "repeats": {str(task): self.times for task in self.often},
            **{n: getattr(self, n) for n in MAKING if getattr(self, n) is not None},
        }

    @property
    def title(self) -> str:
        return f"catbAbI, {self.mode}"

    def folder_name(self) -> str:
        return f"catbabi-{self.mode}-{self.model}-h{self.hidden}-s{self.seed}"

    def task_config(self) -> Record:
        task = self.task()
        return {
            "name": "catbabi",
            "options": self._task_options(),
            "vocabulary": list(task.vocabulary),
            "fingerprint": task.fingerprint,
            "counts": {split: counts._asdict() for split, counts in task.counts.items()},
            "notes": list(task.notes),
        }

    def network(self) -> Record:
        backbone = BACKBONES[self.model].options if self.model in BACKBONES else {}
        own = backbone_fields(self, MEMORY_OPTIONS)
        with_fields = MEMORY_OPTIONS if has_options(self.model, MEMORY_OPTIONS) else ()
        given = extra_backbone_options(self.model, self.set, with_fields)
        return {
            "hidden": self.hidden,
            "embedding": self.embedding,
            "head_bias": False,
            "word_dropout": self.word_dropout,
            "embedding_dropout": self.embedding_dropout,
            "options": {**backbone, **own, **given},
        }

    def sizes(self) -> dict[str, int]:
        classes = len(self.task().vocabulary)
        return {"input": classes, "classes": classes}

    def engine_settings(self) -> Settings:
        return self.settings(
            self.steps,
            optimiser=self.optimiser,
            schedule=self.schedule,
            evaluation_interval=self.evaluation_interval,
            weight_decay=self.weight_decay,
        )

    def source(self) -> Stream:
        """Return the streams."""
        from fastweights.training import Stream

        return Stream(
            self.task(),
            batch=self.batch,
            length=self.length,
            mode=self.mode,
            answer_weight=1.0 if self.answer_weight is None else self.answer_weight,
            seed=self.seed,
            device=self.device,
            validation_segments=self.validation_segments,
            start=self.evaluation_start,
            auxiliary=self.meta_objective,
        )

    def summary(self) -> str:
        counts = self.task().counts.get("train")
        stories = (
            f"{counts.stories:,} stories with {counts.questions:,} questions to learn from"
            if counts
            else f"{self._made()}, no data (--stories release reads bAbI's own)"
        )
        time = f"{self.duration(counted(self.steps, 'step'))} of {self.batch} × {self.length} words"
        return "; ".join((f"{self.title}, {stories}", time, *self.task().notes))

    def _made(self) -> str:
        if self.pool is None:
            return "new stories at every step"
        if self.pool_tasks is None:
            return f"{self.pool:,} of each task's stories, again and again"
        some = ", ".join(map(str, self.pool_tasks))
        return f"of task {some} {self.pool:,} stories, again and again; new ones of the others"

    def progress(self) -> TerminalProgress:
        from fastweights.training import TerminalProgress

        work = self.batch * self.length
        title = f"{self.model}, catbAbI {self.mode}"
        return TerminalProgress(title, work=work, unit="words", limit=self.seconds)


def released(
    tasks: Sequence[int] | None,
    data_dir: str | Path | None,
    vocabulary: Sequence[str] | None = None,
) -> CatBAbI:
    """Load the release in the words of a model that learnt from generated stories; None: those of all tasks.

    Raises:
        UserError: if it cannot be found or used.
    """
    from fastweights.tasks import CatBAbI
    from fastweights.tasks.babi.encoded import ALL_WORDS

    return CatBAbI(data_dir, tasks=tasks, vocabulary=vocabulary or ALL_WORDS)


@functools.lru_cache(maxsize=2)
def _task(data_dir: Path | None, options: str) -> CatBAbI:
    from fastweights import tasks

    return tasks.build("catbabi", data_dir=data_dir, **json.loads(options))
