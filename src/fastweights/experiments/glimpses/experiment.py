"""MNIST glimpses (Ba et al. 2016, section 4.2), as one value that can be run.

`Glimpses` holds every choice. A choice left at None is made by `resolve`, from `settings.py` beside it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from fastweights.experiments.experiment import Recipe, filled
from fastweights.experiments.glimpses.defaults import check, options, settings

if TYPE_CHECKING:
    from fastweights.models import SequenceModel
    from fastweights.tasks import Glimpses as Task
    from fastweights.training import Outcome, Settings, Supervised, TerminalProgress

SMALL = 100
"""Features below which one thread is the faster choice."""


@dataclass(frozen=True)
class Glimpses(Recipe):
    """Train a model to name a digit of MNIST that it sees in 24 glimpses."""

    model: str = "fast-weights"
    """Backbone; `fastweights list` shows them all; convnet sees the whole picture at once."""
    features: int = 50
    """Hidden units of the backbone (the paper has 50, 100, 200)."""
    reading: Literal["plain", "hierarchical"] = "plain"
    """`plain`: fine glimpses, then coarse, position told. `hierarchical`: by quadrant, coarse then fine, not told."""
    data_dir: Path | None = None
    """Folder that holds MNIST's four files [default: FASTWEIGHTS_DATA or the cache folder]."""
    decay: float | None = None
    """fast-weights: decay λ of the fast weights, 0 to 1."""
    rate: float | None = None
    """fast-weights: learning rate η of the fast weights; 0 is the control without memory."""
    inner_steps: int | None = None
    """fast-weights: steps S of the inner loop."""
    set: tuple[str, ...] = ()
    """Further options of the backbone, NAME=VALUE, such as recurrent_scale=0.5."""
    glimpse_layer: int | None = None
    """Units of the ReLU layer that reads each glimpse; 0 hands it to the backbone as it is."""
    input_dropout: float | None = None
    """The probability that a number of a glimpse is dropped in training."""
    steps: int | None = None
    """Training steps."""
    batch: int | None = None
    """Images in a training batch."""
    learning_rate: float | None = None
    """Peak learning rate of AdamW, after the warm-up; then it falls to 0 along a cosine."""
    weight_decay: float | None = None
    """Decoupled weight decay."""
    warmup: int | None = None
    """Steps of linear warm-up."""
    clip: float | None = None
    """Clip the gradient's global norm here; 0 never clips."""
    evaluation_interval: int | None = None
    """Steps between evaluations."""
    seed: int = 0
    """Seed of the weights and of the order of the images."""
    device: str = "cpu"
    """Where to train: cpu, cuda, cuda:1 …"""
    backend: Literal["auto", "reference", "chunked", "cpu", "cuda"] = "auto"
    """Which implementation of the recurrence runs."""

    aside: ClassVar[tuple[str, ...]] = ("data_dir",)

    def resolve(self) -> Resolved:
        """Return the recipe with every None filled in that the model understands, checked.

        Raises:
            UserError: on a value out of range, an unknown model, or an option that the model does not have.
        """
        from fastweights import models

        model = models.describe(self.model).name
        resolved = Resolved(**filled(self, settings(model, self), model=model))
        check(resolved)
        return resolved


@dataclass(frozen=True)
class Resolved(Glimpses):
    """A recipe with nothing left to choose; only the fast weights' own options are None in other models."""

    glimpse_layer: int = 100
    input_dropout: float = 0.0
    steps: int = 1
    batch: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup: int = 0
    clip: float = 0.0
    evaluation_interval: int = 1

    def task(self) -> Task:
        """Load the task."""
        return _task(self.data_dir, self.reading)

    def folder_name(self) -> str:
        return f"glimpses-{self.reading}-{self.model}-h{self.features}-s{self.seed}"

    def describe(self) -> dict[str, Any]:
        return {"task": f"MNIST glimpses, {self.reading}", "hidden": self.features}

    def task_config(self) -> dict[str, Any]:
        return {"name": "glimpses", "options": {"reading": self.reading}}

    def network(self) -> dict[str, Any]:
        return {
            "inputs": "vectors",
            "hidden": self.features,
            "embedding": self.glimpse_layer or None,
            "input_dropout": self.input_dropout,
            "options": options(self.model, self),
        }

    def sizes(self) -> dict[str, int]:
        from fastweights.tasks.glimpses import features

        return {"input": features(self.reading), "classes": 10}

    def engine_settings(self) -> Settings:
        from fastweights.training import Optimiser, Schedule, Settings

        return Settings(
            steps=self.steps,
            optimiser=Optimiser("adamw", self.learning_rate, weight_decay=self.weight_decay),
            schedule=Schedule(self.warmup, "cosine"),
            clip=self.clip,
            seed=self.seed,
            evaluation_interval=self.evaluation_interval,
            checkpoint_seconds=10.0,
            device=self.device,
        )

    def source(self) -> Supervised:
        """Make the batches: epochs of the train split, each in an order of its own."""
        from fastweights.training import Supervised

        return Supervised(self.task(), batch=self.batch, seed=self.seed, device=self.device)

    def small(self) -> bool:
        return self.features < SMALL

    def opening(self, model: SequenceModel) -> str:
        from fastweights.experiments.runner import backend_of

        weights = sum(weight.numel() for weight in model.parameters())
        images = len(self.task().split("train").answer)
        return (
            f"{self.model}: {self.features} features, {weights:,} weights, backend {backend_of(model)};"
            f" MNIST glimpses, {self.reading}, {images:,} images, {self.steps:,} steps of {self.batch}"
        )

    def progress(self) -> TerminalProgress:
        from fastweights.training import TerminalProgress

        title = f"{self.model}, {self.reading} glimpses"
        return TerminalProgress(title, work=self.batch, unit="images")

    def examine(
        self, model: SequenceModel, outcome: Outcome
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        from fastweights.experiments.glimpses.predict import asked, scored

        task = self.task()
        tested = scored(model, task, "test")
        figures = {
            "reading": self.reading,
            "features": self.features,
            **{f"test_{name}": tested[name] for name in tested if name != "split"},
            "validation_error_percent": 100 * (1 - outcome.metrics["accuracy"]),
        }
        return figures, [asked(model, task, str(number)) for number in range(5)]


@functools.lru_cache(maxsize=2)
def _task(data_dir: Path | None, reading: str) -> Task:
    from fastweights.tasks import Glimpses as Task

    return Task(data_dir, reading=reading)
