"""The plan of a test of sequence models: what is trained, once every choice is made."""

from __future__ import annotations

import dataclasses
from abc import ABC
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastweights.errors import UserError, check_at_least, check_count
from fastweights.experiments.options import (
    OptimiserPlan,
    StepPlan,
    extra_backbone_options,
    parse_pairs,
)
from fastweights.experiments.plan import Plan, Record, check_not_negative, check_positive
from fastweights.experiments.sequences.options import (
    InContextRegressionOptions,
    MADOptions,
    MQAROptions,
    SelectiveCopyingOptions,
    SequenceOptions,
    StateTrackingOptions,
)
from fastweights.experiments.terminal import counted

if TYPE_CHECKING:
    from fastweights.tasks import SequenceTask
    from fastweights.training import Answers, Settings, TerminalProgress

MAX_SAMPLES = 100_000
"""Sequences of a test, which are drawn at once."""

SINGLE_THREAD_HIDDEN = 256
"""Hidden units below which one thread trains."""

SHARED = (
    *("model", "hidden", "layers", "convolution", "embedding", "steps", "batch", "optimiser"),
    *("learning_rate", "warmup", "schedule", "clip", "evaluation_interval", "train_samples"),
    *("test_samples", "set"),
)


def words_of(options: Record) -> str:
    """Return the options of a task in words.

    Example:
        >>> words_of({"problem": "parity", "length": 40})
        'parity, length 40'
    """
    each = (
        value if isinstance(value, str) else f"{name} {value}" for name, value in options.items()
    )
    return ", ".join(each)


@dataclass(frozen=True, kw_only=True)
class SequencePlan(StepPlan, OptimiserPlan, Plan, SequenceOptions, ABC):
    """The options filled in; those of a task make its own plan."""

    hidden: int = field()
    layers: int = field()
    convolution: int = field()
    embedding: int = field()
    train_samples: int = field()

    def check(self) -> None:
        super().check()
        check_positive(self, "hidden", "layers", "steps", "batch", "evaluation_interval")
        check_not_negative(self, "embedding", "convolution", "train_samples")
        check_count("test_samples", self.test_samples, MAX_SAMPLES)
        if self.train_samples and self.train_samples < self.batch:
            raise UserError(
                f"{self.train_samples} training sequences do not fill a batch of {self.batch}"
            )
        self.build_task()
        self.test_task()
        self.network()

    def task_config(self) -> Record:
        options = {name: getattr(self, name) for name in self.task_fields}
        return {"name": self.task, "options": options}

    def build_task(self) -> SequenceTask:
        """Return the task that is trained on."""
        from fastweights import tasks

        return tasks.build(self.task, **self.task_config()["options"])

    def test_task(self) -> SequenceTask:
        """Return the task of the final test."""
        return self.build_task()

    @property
    def title(self) -> str:
        return f"{self.task.replace('-', ' ')}, {self.words()}"

    def words(self) -> str:
        """Return what sets the task apart from others of its name."""
        return words_of(self.task_config()["options"])

    def folder_name(self) -> str:
        values = "-".join(str(getattr(self, name)) for name in self.task_fields)
        size = f"h{self.hidden}-l{self.layers}-s{self.seed}"
        return f"{self.task}-{values}-{self.model}-{size}"

    def network(self) -> Record:
        from fastweights import models

        known = models.options(self.model)
        name = "layers" if "layers" in known else "num_layers"
        if name in parse_pairs(self.set):
            raise UserError(f"{name} has an option of its own: --layers")
        if name not in known and self.layers > 1:
            raise UserError(f"model {self.model!r} has no layers to stack: layers must be 1")
        own: Record = {name: self.layers} if name in known else {}
        if self.embedding and known.get("input_std", 0) is None:
            own["input_std"] = (
                None  # what is learned is dense, not the symbols of the tasks' recipes
            )
        return {
            "hidden": self.hidden,
            "embedding": self.embedding or None,
            "convolution": self.convolution or None,
            "options": {**own, **extra_backbone_options(self.model, self.set, ())},
        }

    def sizes(self) -> Record:
        task = self.build_task()
        if not task.vocabulary:
            return {"input": task.features, "classes": task.classes, "inputs": "vectors"}
        return {"input": task.vocabulary, "classes": task.classes}

    def engine_settings(self) -> Settings:
        return self.settings(
            self.steps,
            optimiser=self.optimiser,
            schedule=self.schedule,
            evaluation_interval=self.evaluation_interval,
        )

    def source(self) -> Answers:
        from fastweights.training import Answers

        return Answers(
            self.build_task(),
            batch=self.batch,
            seed=self.seed,
            train_samples=self.train_samples or None,
            device=self.device,
        )

    @property
    def single_thread(self) -> bool:
        return self.hidden < SINGLE_THREAD_HIDDEN

    def summary(self) -> str:
        return f"{self.title}; {counted(self.steps, 'step')} of {counted(self.batch, 'sequence')}"

    def progress(self) -> TerminalProgress:
        from fastweights.training import TerminalProgress

        return TerminalProgress(f"{self.model}, {self.task}")


@dataclass(frozen=True, kw_only=True)
class StateTrackingPlan(SequencePlan, StateTrackingOptions):
    fingerprint_fields = (*SHARED, *StateTrackingOptions.task_fields, "test_length")

    def check(self) -> None:
        check_at_least(1, test_length=self.test_length)
        super().check()

    def test_task(self) -> SequenceTask:
        return dataclasses.replace(self, length=self.test_length).build_task()


@dataclass(frozen=True, kw_only=True)
class MQARPlan(SequencePlan, MQAROptions):
    fingerprint_fields = (*SHARED, *MQAROptions.task_fields)


@dataclass(frozen=True, kw_only=True)
class MADPlan(SequencePlan, MADOptions):
    length: int = field()
    vocabulary: int = field()

    fingerprint_fields = (*SHARED, *MADOptions.task_fields)


@dataclass(frozen=True, kw_only=True)
class SelectiveCopyingPlan(SequencePlan, SelectiveCopyingOptions):
    fingerprint_fields = (*SHARED, *SelectiveCopyingOptions.task_fields)


@dataclass(frozen=True, kw_only=True)
class InContextRegressionPlan(SequencePlan, InContextRegressionOptions):
    fingerprint_fields = (*SHARED, *InContextRegressionOptions.task_fields)
