"""How long and how to train: the engine's settings, apart from the model and the data."""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch

from fastweights.errors import UserError, check_at_least, check_choice
from fastweights.io.encode import plain
from fastweights.training.engine import distributed
from fastweights.training.engine.averaging import Averaging
from fastweights.training.engine.optimiser import Optimiser, Schedule

PRECISIONS = ("float32", "bfloat16")
_CHANGEABLE_ON_RESUME = frozenset[str](
    ("checkpoint_seconds", "checkpoint_interval", "device", "graph", "seconds")
)


@dataclass(frozen=True)
class Settings:
    """Settings of `fit`.

    Attributes:
        steps: optimiser steps in all, ≥ 1.
        seconds: of training, after which the run ends before its last step; None: no limit. What
            was begun with a limit can be resumed with a higher one.
        optimiser: which, and its constants.
        schedule: the learning rate over the steps.
        clip: bound on the global gradient norm; None or 0 never clips.
        seed: of torch's global generators while training (dropout …).
        evaluation_interval: steps between evaluations, ≥ 1; the first and the last step are always
            evaluated.
        evaluations: the steps to evaluate at instead, in rising order, as the ends of epochs; a run
            that goes on beyond its last step may have more of them.
        averaging: when to go over to averaged SGD; None: never.
        keep: the metric of the evaluations, the lower the better, that says which weights are kept;
            None: the last ones, averaged if they are.
        precision: of the forward pass: "float32", the model's own, or "bfloat16" (autocast).
        checkpoint_seconds: seconds between checkpoints (a kill loses at most these); the end and an
            interrupt always write one.
        checkpoint_interval: steps between checkpoints, besides; None leaves it to the seconds.
        device: where to train.
        graph: record training steps as CUDA graphs and start each with one launch (`graphs`); decides no number.
    """

    steps: int
    seconds: float | None = None
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule = field(default_factory=Schedule)
    clip: float | None = None
    seed: int = 0
    evaluation_interval: int = 500
    evaluations: tuple[int, ...] | None = None
    averaging: Averaging | None = None
    keep: str | None = None
    precision: str = "float32"
    checkpoint_seconds: float = 2.0
    checkpoint_interval: int | None = None
    device: str = "cpu"
    graph: bool = False

    def __post_init__(self) -> None:
        intervals = {
            "evaluation interval": self.evaluation_interval,
            "checkpoint interval": self.checkpoint_interval,
        }
        check_at_least(1, steps=self.steps, **intervals)
        if self.clip is not None and not 0 <= self.clip < math.inf:
            raise UserError(f"the gradient clip must be a number ≥ 0, not {self.clip}")
        check_device(self.device)
        if self.graph:
            _check_graph(self.device)
        check_choice("precision", self.precision, PRECISIONS)
        if any(a >= b for a, b in pairwise((0, *(self.evaluations or ())))):
            raise UserError(f"the steps of evaluations must rise from 1, not {self.evaluations}")
        if self.seconds is not None and not self.seconds > 0:
            raise UserError(f"the limit must be more than 0 seconds, not {self.seconds}")
        if not self.checkpoint_seconds >= 0:
            raise UserError(f"checkpoint seconds must be ≥ 0, not {self.checkpoint_seconds}")

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of `step`, counted from 0."""
        return self.optimiser.learning_rate * self.schedule.factor(step, self.steps)

    def evaluates_at(self, step: int) -> bool:
        """Return whether an evaluation is due after `step` steps, be it the last or not."""
        if self.evaluations is None:
            return step > 0 and step % self.evaluation_interval == 0
        place = bisect_left(self.evaluations, step)
        return self.evaluations[place : place + 1] == (step,)

    def record(self) -> dict[str, Any]:
        """Return the settings as plain JSON values, for the checkpoint."""
        return {name: plain(value) for name, value in dataclasses.asdict(self).items()}

    def check_resumes(self, recorded: Mapping[str, Any]) -> None:
        """Check that a run begun with the settings `recorded` goes on to the bit with these.

        More steps, with evaluations at them, may be asked for where no schedule depends on their
        number.

        Raises:
            UserError: naming the first setting that differs.
        """
        shared = min(self.steps, recorded["steps"])
        recorded, ours = (
            {**each, "evaluations": _until(each["evaluations"], shared)}
            for each in (recorded, self.record())
        )
        free = set(_CHANGEABLE_ON_RESUME)
        if self.schedule.decay == "constant":
            free.add("steps")
        for name, value in ours.items():
            if name not in free and recorded[name] != value:
                raise UserError(
                    f"cannot resume with another {name.replace('_', ' ')}: the run began with"
                    f" {recorded[name]}, not {value}"
                )


def _until(evaluations: Sequence[int] | None, step: int) -> list[int] | None:
    return None if evaluations is None else [each for each in evaluations if each <= step]


def _check_graph(device: str) -> None:
    if torch.device(device).type != "cuda":
        raise UserError(
            f"CUDA graphs are recorded on a CUDA device, not on {device}: give device cuda"
        )
    if distributed.world() > 1:
        raise UserError(
            "CUDA graphs are for one process: several exchange their gradients within a step, which no graph holds"
        )


DEVICES = "cpu, cuda, cuda:1 …, mps"


def check_device(name: str) -> None:
    """Raise `UserError` unless torch finds a device of this name."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"unknown device {name!r}; accepted: {DEVICES}") from error
    if device.type not in ("cpu", "cuda", "mps"):
        raise UserError(f"device {name!r} cannot be trained on; accepted: {DEVICES}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"device {name!r} is not here: torch finds no GPU of Apple's")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            few = ("no CUDA device", "cuda:0 alone")
            found = few[count] if count < len(few) else f"cuda:0 to cuda:{count - 1}"
            raise UserError(f"device {name!r} is not here: torch finds {found}")
