"""A plan: an experiment's options with every default filled in, and what the runner asks of them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from fastweights.errors import UserError, check_at_least, check_seed
from fastweights.experiments.options import (
    DescentPlan,
    RunOptions,
    TimeOptions,
    backend_option,
    recipe_options,
)

if TYPE_CHECKING:
    from fastweights.models import SequenceModel
    from fastweights.training import Progress, Settings, Source

Record = dict[str, Any]
"""Plain JSON values by name, as runs and results are written."""

FINGERPRINT_FORMAT = 2
"""Of the fingerprints of recorded rows; a row of another format is void."""

CHECKPOINT_SECONDS = 30.0
"""Between checkpoints: the most that a kill costs, and long beside the writing of one."""


@dataclass(frozen=True, kw_only=True)
class Plan(DescentPlan, RunOptions, ABC):
    """What `runner.train` asks of every experiment's plan.

    A plan has the fields of its options, those with a default that depends on the task or the model without one: what
    `Experiment.defaults` forgets is an error, never an invented number.

    Attributes:
        fingerprint_fields: what decides a recorded number, besides the network: names as they are hashed, with the
            field behind a `=` where that is called something else by now. A field that is None is left out, so that
            one added later voids nothing.
    """

    fingerprint_fields: ClassVar[tuple[str, ...]]

    def check(self) -> None:
        """Raise `UserError` on a value out of range; what a model, the task or the engine checks is left to them."""
        from fastweights.training.engine.settings import check_device

        check_seed(self.seed)
        check_device(self.device)

    def check_figure(self, name: str) -> None:
        """Raise `UserError` if a run's result would lack a figure for want of data, saying which."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Return what a row of results calls the task."""

    @abstractmethod
    def folder_name(self) -> str:
        """Return a name for the run, made of what sets it apart."""

    @abstractmethod
    def task_config(self) -> Record:
        """Return the task's `name` and `options`, from which `fastweights.tasks.build` builds it again."""

    @abstractmethod
    def network(self) -> Record:
        """Return what `fastweights.models.model_config` takes, without what the task decides."""

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Return what the task decides of the model: `input` and `classes`."""

    @abstractmethod
    def engine_settings(self) -> Settings:
        """Return the engine's settings."""

    def settings(
        self,
        steps: int,
        *,
        optimiser: str,
        schedule: str,
        evaluation_interval: int = 500,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> Settings:
        """Return the engine's settings, from what all plans have and what is given."""
        from fastweights.training import Optimiser, Schedule, Settings

        return Settings(
            steps=steps,
            seconds=self.seconds,
            optimiser=Optimiser(optimiser, self.learning_rate, (0.9, beta2), eps, weight_decay),
            schedule=Schedule(self.warmup, schedule),
            clip=self.clip,
            seed=self.seed,
            evaluation_interval=evaluation_interval,
            checkpoint_seconds=CHECKPOINT_SECONDS,
            device=self.device,
        )

    @abstractmethod
    def source(self) -> Source:
        """Return the task as a source of batches."""

    def prepare(self, model: SequenceModel) -> None:
        """Change a new model before it is trained: what is not to learn, or begins otherwise."""

    @abstractmethod
    def progress(self) -> Progress:
        """Return the bar that shows the training on a terminal."""

    @abstractmethod
    def summary(self) -> str:
        """Return what is trained on, and for how long, in half a line."""

    @property
    def single_thread(self) -> bool:
        """Whether a step is so short that a second thread costs more than it saves."""
        return False

    @property
    def seconds(self) -> float | None:
        """The limit of time, if there is one."""
        return None

    def extent(self) -> dict[str, float]:
        """Return how long the run is to be, by the result's key for how long it was; a higher number goes on."""
        return {}

    def deciding(self) -> Record:
        """Return what decides the numbers of a run, but for the network; what is None is left out."""
        pairs = [name.partition("=") for name in self.fingerprint_fields]
        values = {name: getattr(self, attribute or name) for name, _, attribute in pairs}
        return {name: value for name, value in values.items() if value is not None}

    def fingerprint(self, *tested: object) -> str:
        """Return a hash of what decides the numbers: of a run with any seed, and of how they are `tested`."""
        # The network besides: options of a backbone stand in a task's defaults and in no field.
        text = json.dumps([self.deciding(), self.network(), *tested], sort_keys=True)
        return f"{FINGERPRINT_FORMAT}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def model_config(self) -> Record:
        """Return the model in the form that `fastweights.models.from_config` builds it from."""
        from fastweights import models

        network = self.network()
        options = recipe_options(self.model) | network["options"]
        options |= backend_option(self.model, self.backend)
        return models.model_config(self.model, **{**network, **self.sizes(), "options": options})

    def opening(self, model: SequenceModel) -> str:
        """Return a line on what is about to be trained."""
        weights = sum(weight.numel() for weight in model.parameters())
        return f"{self.model}: {weights:,} weights, backend {backend_of(model)}; {self.summary()}"


@dataclass(frozen=True, kw_only=True)
class TimedPlan(TimeOptions, Plan, ABC):
    """A plan that may have a limit of time."""

    @property
    def seconds(self) -> float | None:
        return None if self.minutes is None else 60 * self.minutes

    def check(self) -> None:
        super().check()
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise UserError(f"minutes must be more than 0, not {self.minutes:g}")

    def duration(self, otherwise: str) -> str:
        """Return how long the run is: its minutes, or what is said otherwise."""
        return otherwise if self.minutes is None else f"{self.minutes:g} minutes"


def backend_of(model: SequenceModel) -> str:
    """Return the name of the implementation of the model's recurrence that runs here."""
    return getattr(model.backbone, "backend_in_use", "torch")


def with_defaults(options: RunOptions, defaults: Mapping[str, object]) -> Record:
    """Return all fields of options by name; those that are None take their default, if they have one."""
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    chosen = {name: value for name, value in defaults.items() if values[name] is None}
    return {**values, **chosen}


def wants_more(recorded: Mapping[str, Any], plan: Plan) -> bool:
    """Return whether a recorded run ended at a limit, of time, epochs or updates, below that of a plan."""
    before = recorded.get("limit_seconds")
    if before is not None:
        return plan.seconds is None or plan.seconds > before
    return any(number > recorded.get(key, number) for key, number in plan.extent().items())


def check_positive(plan: Plan, *names: str) -> None:
    """Raise `UserError` naming the first of these fields that is below 1; None is as good as 1."""
    check_at_least(1, **{name: getattr(plan, name) for name in names})


def check_finite(plan: Plan, *names: str) -> None:
    """Raise `UserError` naming the first of these fields that is not finite; None is."""
    for name in names:
        value = getattr(plan, name)
        if value is not None and not math.isfinite(value):
            raise UserError(f"{name} must be finite: {value} was given")


def check_not_negative(plan: Plan, *names: str) -> None:
    """Raise `UserError` naming the first of these fields that is negative or not finite; None is neither."""
    check_finite(plan, *names)
    for name in names:
        value = getattr(plan, name)
        if value is not None and value < 0:
            raise UserError(f"{name} must not be negative: {value} was given")


def check_share(plan: Plan, *names: str) -> None:
    """Raise `UserError` naming the first of these fields that is not from 0 to 1."""
    for name in names:
        value = getattr(plan, name)
        if not 0 <= value <= 1:
            raise UserError(f"{name} must be from 0 to 1, not {value:g}")
