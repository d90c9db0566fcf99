"""Parts of an experiment's options, each written once, and a backbone's options as a command takes them: NAME=VALUE.

An experiment's options are a frozen dataclass that inherits the parts it has: flat, so that a call, a record in JSON
and the command line name a field in one way. A field left at None is chosen by `Experiment.plan`; the plan's class
inherits the same parts as plans (`OptimiserPlan` …), where these fields have no default: a plan lacks nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from fastweights.errors import UserError, check_choice


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of every experiment.

    Attributes:
        changeable_on_resume: fields that a resumed run takes as they are given now, if they are.
        of_test: fields that decide only how the run is tested; a resumed run, finished or not, takes those it is given.
        limits: fields that end a run, of which one is given, and that do not decide what is trained until then.
        renamed: fields by the name under which earlier versions recorded them.
    """

    model: str = "fast-weights"
    """Backbone; `fastweights list` shows them all."""
    seed: int = 0
    """Seed of the weights and of all that is drawn."""
    device: str = "cpu"
    """Where to train: cpu, cuda, cuda:1 …, mps"""
    backend: str = "auto"
    """Which implementation of the recurrence runs: auto, or one that `fastweights list` shows for it."""

    changeable_on_resume: ClassVar[tuple[str, ...]] = ("device", "backend")
    of_test: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[tuple[str, ...]] = ()
    renamed: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def recorded_on_resume(cls) -> tuple[str, ...]:
        """Return the fields that a resumed run records anew where they are given: limits, test, where the data is."""
        fields = (*cls.limits, *cls.of_test)
        return (*fields, "data_dir") if issubclass(cls, DataOptions) else fields


@dataclass(frozen=True, kw_only=True)
class DescentOptions:
    """Learning rate and gradient clip."""

    learning_rate: float | None = None
    """Peak learning rate."""
    warmup: int | None = None
    """Steps (of agents: updates) of linear warm-up."""
    clip: float | None = None
    """Clip the gradient's global norm here; 0 never clips."""


@dataclass(frozen=True, kw_only=True)
class DescentPlan(DescentOptions):
    learning_rate: float = field()
    warmup: int = field()
    clip: float = field()


@dataclass(frozen=True, kw_only=True)
class OptimiserOptions(DescentOptions):
    """Which optimiser, with which schedule."""

    optimiser: Literal["adam", "adamw", "rmsprop", "sgd"] | None = None
    """Optimiser of the slow weights."""
    schedule: Literal["constant", "cosine"] | None = None
    """Learning rate after the warm-up."""


@dataclass(frozen=True, kw_only=True)
class OptimiserPlan(DescentPlan, OptimiserOptions):
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd"] = field()
    schedule: Literal["constant", "cosine"] = field()


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """Steps of batches, with evaluations between them."""

    steps: int | None = None
    """Training steps."""
    batch: int | None = None
    """Sequences or images in a training batch; of a stream, the rows that are read side by side."""
    evaluation_interval: int | None = None
    """Steps between evaluations."""


@dataclass(frozen=True, kw_only=True)
class StepPlan(StepOptions):
    steps: int = field()
    batch: int = field()
    evaluation_interval: int = field()


@dataclass(frozen=True, kw_only=True)
class FastWeightOptions:
    """Options of a fast-weights RNN alone."""

    decay: float | None = None
    """fast-weights: decay λ of the fast weights, 0 to 1."""
    rate: float | None = None
    """fast-weights: rate η of a write to the fast weights; 0: none, the control without memory."""


@dataclass(frozen=True, kw_only=True)
class MemoryOptions:
    """Options of a Fast Weight Memory alone."""

    memory_size: int | None = None
    """fwm, awd-fwm: size d of the memory's values and keys."""
    reads: int | None = None
    """fwm, awd-fwm: chained reads Nr a step."""


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Where a task's data is, for training, tests and pictures alike."""

    data_dir: Path | None = None
    """Folder of the data. [default: FASTWEIGHTS_DATA or the cache folder]"""


@dataclass(frozen=True, kw_only=True)
class TimeOptions:
    """A limit of time."""

    minutes: float | None = None
    """End after this many minutes of training instead (resumable with more); schedules are then constant."""

    def steps_or_endless(self, steps: int) -> int:
        """Return so many steps; where the run ends at a time, more than it ever takes: no schedule ends with them."""
        return steps if self.minutes is None else 10_000_000


@dataclass(frozen=True, kw_only=True)
class BackboneOptions:
    """Options of the backbone that have no field."""

    set: tuple[str, ...] = ()
    """Further options of the backbone, NAME=VALUE, such as recurrent_scale=0.5."""


def parse_pairs(pairs: tuple[str, ...]) -> dict[str, object]:
    """Parse NAME=VALUE pairs; a value is what it would be in JSON, or a word.

    Raises:
        UserError: for a pair without a name or a value.

    Example:
        >>> parse_pairs(("memory_length=400", "pre_norm=true", "variant=paper"))
        {'memory_length': 400, 'pre_norm': True, 'variant': 'paper'}
    """
    found: dict[str, object] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise UserError(f"--set takes NAME=VALUE, not {pair!r}")
        try:
            found[name.strip().replace("-", "_")] = json.loads(value)
        except ValueError:
            found[name.strip().replace("-", "_")] = value
    return found


def extra_backbone_options(
    model: str, pairs: tuple[str, ...], with_fields: Collection[str]
) -> dict[str, object]:
    """Parse the options that `--set` gives a backbone; those `with_fields` have an option of the command to themselves.

    Raises:
        UserError: for an option that the model does not have, or that has a field.
    """
    from fastweights import models

    accepted, given = models.options(model), parse_pairs(pairs)
    for name, value in given.items():
        check_choice(f"option of model {model!r}", name, accepted)
        if name == "backend" or name in with_fields:
            raise UserError(f"{name} has an option of its own: --{name.replace('_', '-')} {value}")
        if isinstance(accepted[name], bool) and not isinstance(value, bool):
            raise UserError(f"{name} is true or false, not {value!r}")
    return given


def backbone_fields(options: RunOptions, names: Collection[str]) -> dict[str, object]:
    """Return those of the named fields that are given, by name; they become options of the backbone.

    Raises:
        UserError: if any is given and the model does not have them all.

    Example:
        >>> from fastweights.experiments.catch.options import CatchOptions
        >>> backbone_fields(CatchOptions(rate=0.5), ("decay", "rate"))
        {'rate': 0.5}
    """
    values = {name: getattr(options, name) for name in names}
    given = {name: value for name, value in values.items() if value is not None}
    if given and not has_options(options.model, names):
        from fastweights import models

        having = ", ".join(name for name in models.registry.names() if has_options(name, names))
        raise UserError(f"model {options.model!r} has no {', '.join(given)}; accepted by {having}")
    return given


def has_options(model: str, names: Collection[str]) -> bool:
    """Return whether a backbone (by its registered name) has all of these options.

    Example:
        >>> has_options("fast-weights", ("decay", "rate")), has_options("lstm", ("decay", "rate"))
        (True, False)
    """
    from fastweights import models

    return models.options(model).keys() >= set(names)


def recipe_options(model: str) -> dict[str, object]:
    """Return the options of a backbone that the tasks' recipes were chosen with, where its own defaults are others.

    They stand in no fingerprint: recorded rows are of the time when they were the defaults.

    Example:
        >>> recipe_options("fast-weights"), recipe_options("lstm")
        ({'input_std': 1.0}, {})
    """
    from fastweights import models

    return {"input_std": 1.0} if models.options(model).get("input_std", 0) is None else {}


def backend_option(model: str, backend: str) -> dict[str, str]:
    """Return a backbone's option for the implementation of its recurrence; none where it has but one.

    Raises:
        UserError: if an implementation is asked of a model that has only one.

    Example:
        >>> backend_option("fwm", "cpu"), backend_option("irnn", "auto")
        ({'backend': 'cpu'}, {})
    """
    if has_options(model, ("backend",)):
        return {"backend": backend}
    if backend != "auto":
        raise UserError(f"model {model!r} has one implementation: backend must be auto")
    return {}
