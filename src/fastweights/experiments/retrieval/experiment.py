"""Associative retrieval (Ba et al. 2016, section 4.1; and the trailing-read variant), as one value that can be run.

`Retrieval` holds every choice. A choice left at None is made by `resolve`, from `settings.py` beside it:
what meets the recorded numbers for that task and model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fastweights.errors import UserError, check_count, check_seed
from fastweights.experiments.experiment import Recipe, filled
from fastweights.experiments.options import has_fast_weights
from fastweights.experiments.retrieval.defaults import FAST_WEIGHT_OPTIONS, settings

if TYPE_CHECKING:
    from fastweights.models import SequenceModel
    from fastweights.tasks.retrieval import Retrieval as Task
    from fastweights.training import Outcome, Settings, Supervised, TerminalProgress

SMALL = 1500
"""Hidden units times steps of a sequence, below which one thread is the faster choice."""


@dataclass(frozen=True)
class Retrieval(Recipe):
    """Train a model to answer `c9k8j3f1??c → 9`.

    Options left alone take the settings that reach the recorded accuracy for the chosen pairs, form and model.
    """

    model: str = "fast-weights"
    """Backbone; `fastweights list` shows them all."""
    pairs: int = 4
    """Key-value pairs in a sequence, 1 to 26."""
    form: Literal["paper", "trailing-read"] = "paper"
    """`paper`: …??q, answer at once. `trailing-read`: …??q?, answer one step later."""
    repeat_keys: bool = False
    """Draw keys with repetition (they are distinct otherwise)."""
    data: Literal["fresh", "fixed"] = "fresh"
    """`fresh`: new sequences for ever. `fixed`: the paper's 100k training, 10k validation, 20k test sequences."""
    curriculum: tuple[int, ...] | None = None
    """Pairs of the training stages, equal shares of the steps; the last is the task itself."""
    hidden: int | None = None
    """Hidden units R."""
    embedding: int | None = None
    """Size of a learned input embedding; 0 feeds one-hot symbols."""
    readout: int | None = None
    """Units of a ReLU layer before the softmax; 0 leaves a linear head."""
    decay: float | None = None
    """Decay λ of the fast weights, 0 to 1."""
    rate: float | None = None
    """Learning rate η of the fast weights."""
    inner_steps: int | None = None
    """Steps S of the inner loop."""
    nonlinearity: Literal["relu", "tanh"] | None = None
    """Nonlinearity of the hidden units."""
    layer_norm: bool | None = None
    """Layer normalisation inside the inner loop."""
    preliminary_norm: bool | None = None
    """Layer normalisation of h_0 too."""
    norm_gain: float | None = None
    """Initial gain of the layer normalisation."""
    recurrent_scale: float | None = None
    """W starts as this multiple of the identity."""
    input_std: float | None = None
    """Standard deviation of the input weights C at the start."""
    steps: int | None = None
    """Training steps."""
    batch: int | None = None
    """Sequences in a training batch."""
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd"] | None = None
    """Optimiser of the slow weights."""
    learning_rate: float | None = None
    """Peak learning rate of the slow weights."""
    beta2: float | None = None
    """Adam's second-moment decay (RMSProp's smoothing)."""
    warmup: int | None = None
    """Steps of linear warm-up."""
    schedule: Literal["constant", "cosine"] | None = None
    """Learning rate after the warm-up."""
    clip: float | None = None
    """Clip the gradient's global norm here; 0 never clips."""
    evaluation_interval: int | None = None
    """Steps between evaluations."""
    test_samples: int = 20_000
    """Fresh sequences in the final test."""
    seed: int = 0
    """Seed of the weights and of all data."""
    device: str = "cpu"
    """Where to train: cpu, cuda, cuda:1 …"""
    backend: Literal["auto", "reference", "chunked", "cpu", "cuda"] = "auto"
    """Which implementation of the recurrence runs."""

    def resolve(self) -> Resolved:
        """Return the recipe with every None filled in, checked.

        Raises:
            UserError: on a value out of range, an unknown model, or an option that the model does not have.
        """
        from fastweights import models

        model = models.describe(self.model).name
        if not 1 <= self.pairs <= 26:
            raise UserError(f"pairs must be 1 to 26 (there are 26 letters), not {self.pairs}")
        chosen = settings(model, self)
        if not has_fast_weights(model):
            foreign = [name for name in FAST_WEIGHT_OPTIONS if getattr(self, name) is not None]
            if foreign:
                raise UserError(
                    f"model {model!r} has no {', '.join(foreign)}: only fast-weights models have"
                )
            chosen = {name: chosen[name] for name in chosen if name not in FAST_WEIGHT_OPTIONS}
        resolved = Resolved(**filled(self, chosen, model=model))
        resolved.check()
        return resolved


@dataclass(frozen=True)
class Resolved(Retrieval):
    """A recipe with nothing left to choose; only the fast weights' own options are None in other models."""

    hidden: int = 50
    embedding: int = 0
    readout: int = 0
    steps: int = 1
    batch: int = 1
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd"] = "adam"
    learning_rate: float = 1e-3
    beta2: float = 0.999
    warmup: int = 0
    schedule: Literal["constant", "cosine"] = "constant"
    clip: float = 0.0
    evaluation_interval: int = 1

    def check(self) -> None:
        """Refuse values out of range; what a model or the engine checks for itself is left to them.

        Raises:
            UserError: naming the first.
        """
        from fastweights.experiments.retrieval.predict import MOST_SAMPLES
        from fastweights.training.engine.settings import check_device

        for name in ("hidden", "steps", "batch", "evaluation_interval"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, not {getattr(self, name)}")
        check_count("test_samples", self.test_samples, MOST_SAMPLES)
        check_seed(self.seed)
        for name in ("embedding", "readout", "norm_gain", "input_std"):
            if (getattr(self, name) or 0) < 0:
                raise UserError(f"{name} must not be negative: {getattr(self, name)} was given")
        for name in FAST_WEIGHT_OPTIONS:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"{name} must be finite: {value} was given")

        check_device(self.device)
        stages = self.curriculum or ()
        if any(not 1 <= pairs <= 26 for pairs in stages):
            raise UserError(f"curriculum takes pairs of 1 to 26, not {' '.join(map(str, stages))}")
        if len(stages) > self.steps:
            raise UserError(
                f"a curriculum of {len(stages)} stages takes as many steps or more, not {self.steps}"
            )
        if stages and stages[-1] != self.pairs:
            raise UserError(
                f"a curriculum ends with the task itself: its last stage is {stages[-1]}, pairs is {self.pairs}"
            )
        if stages and self.data == "fixed":
            raise UserError("a curriculum needs fresh data: leave out one of curriculum and fixed")

    def task(self, pairs: int | None = None) -> Task:
        """Build the task (with other `pairs`, for a curriculum or a test on other lengths)."""
        from fastweights.tasks.retrieval import Retrieval as Task

        return Task(pairs or self.pairs, form=self.form, repeat_keys=self.repeat_keys)

    def network(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in FAST_WEIGHT_OPTIONS}
        return {
            "hidden": self.hidden,
            "embedding": self.embedding or None,
            "readout": self.readout or None,
            "options": {name: value for name, value in own.items() if value is not None},
        }

    def sizes(self) -> dict[str, int]:
        task = self.task()
        return {"input": task.vocabulary, "classes": task.classes}

    def folder_name(self) -> str:
        form = "" if self.form == "paper" else f"-{self.form}"
        return f"retrieval{form}-{self.model}-n{self.pairs}-h{self.hidden}-s{self.seed}"

    def describe(self) -> dict[str, Any]:
        return {"task": f"retrieval, {self.pairs} pairs, {self.form}", "hidden": self.hidden}

    def task_config(self) -> dict[str, Any]:
        options = {name: getattr(self, name) for name in ("pairs", "form", "repeat_keys")}
        return {"name": "retrieval", "options": options}

    def engine_settings(self) -> Settings:
        from fastweights.training import Optimiser, Schedule, Settings

        return Settings(
            steps=self.steps,
            optimiser=Optimiser(self.optimiser, self.learning_rate, betas=(0.9, self.beta2)),
            schedule=Schedule(self.warmup, self.schedule),
            clip=self.clip,
            seed=self.seed,
            evaluation_interval=self.evaluation_interval,
            device=self.device,
        )

    def source(self) -> Supervised:
        """Make the recipe's batches: fresh or fixed data, in stages if there is a curriculum."""
        from fastweights.training import Supervised

        stages = self.curriculum or (self.pairs,)
        share = self.steps / len(stages)
        return Supervised(
            [(round(place * share), self.task(pairs)) for place, pairs in enumerate(stages)],
            batch=self.batch,
            seed=self.seed,
            fixed=self.data == "fixed",
            device=self.device,
        )

    def small(self) -> bool:
        return self.hidden * self.task().length < SMALL

    def opening(self, model: SequenceModel) -> str:
        from fastweights.experiments.runner import backend_of

        weights = sum(weight.numel() for weight in model.parameters())
        return (
            f"{self.model}: {self.hidden} hidden units, {weights:,} weights, backend {backend_of(model)};"
            f" retrieval of {self.pairs} pairs, {self.steps:,} steps of {self.batch}"
        )

    def progress(self) -> TerminalProgress:
        from fastweights.training import TerminalProgress

        return TerminalProgress(f"{self.model}, {self.pairs} pairs", self.task().no_binding_ceiling)

    def examine(
        self, model: SequenceModel, outcome: Outcome
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        from fastweights.experiments.retrieval.predict import TEST_SEED, examine

        seed = TEST_SEED + self.seed
        tested, samples = examine(model, self.task(), self.test_samples, seed)
        validation = 100 * (1 - outcome.metrics["accuracy"])
        about = {"pairs": self.pairs, "form": self.form}
        return {**about, **tested, "validation_error_percent": validation}, samples
