"""How long and how to train: the engine's settings, apart from the model and the data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from fastweights.errors import UserError
from fastweights.training.optimiser import Optimiser, Schedule

_FREE_TO_CHANGE = frozenset[str](("checkpoint_seconds", "checkpoint_interval", "device", "seconds"))


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
        checkpoint_seconds: seconds between checkpoints (a kill loses at most these); the end and an
            interrupt always write one.
        checkpoint_interval: steps between checkpoints, besides; None leaves it to the seconds.
        device: where to train.
    """

    steps: int
    seconds: float | None = None
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule = field(default_factory=Schedule)
    clip: float | None = None
    seed: int = 0
    evaluation_interval: int = 500
    checkpoint_seconds: float = 2.0
    checkpoint_interval: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        at_least_one = {
            "steps": self.steps,
            "evaluation interval": self.evaluation_interval,
            "checkpoint interval": self.checkpoint_interval,
        }
        for name, value in at_least_one.items():
            if value is not None and value < 1:
                raise UserError(f"{name} must be at least 1, not {value}")
        if self.clip is not None and not 0 <= self.clip < math.inf:
            raise UserError(f"the gradient clip must not be negative, not {self.clip}")
        check_device(self.device)
        if self.seconds is not None and not self.seconds > 0:
            raise UserError(f"the limit must be more than 0 seconds, not {self.seconds}")
        if not self.checkpoint_seconds >= 0:
            raise UserError(f"checkpoint seconds must be ≥ 0, not {self.checkpoint_seconds}")

    def learning_rate(self, step: int) -> float:
        """Give the learning rate of `step`, counted from 0."""
        return self.optimiser.learning_rate * self.schedule.factor(step, self.steps)

    def record(self) -> dict[str, Any]:
        """Give the settings as plain values, for the checkpoint."""
        return dataclasses.asdict(self)

    def check_resumes(self, recorded: Mapping[str, Any]) -> None:
        """Check that a run begun with the settings `recorded` goes on to the bit with these.

        More steps may be asked for where no schedule depends on their number.

        Raises:
            UserError: naming the first setting that differs.
        """
        free = set(_FREE_TO_CHANGE)
        if self.schedule.decay == "constant":
            free.add("steps")
        for name, value in _plain(self.record()).items():
            if name not in free and _plain(recorded.get(name)) != value:
                raise UserError(
                    f"cannot resume with another {name.replace('_', ' ')}: the run began with"
                    f" {_plain(recorded.get(name))}, not {value}"
                )


def check_device(name: str) -> None:
    """Raise `UserError` unless a device of this name is here."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"unknown device {name!r}; accepted: cpu, cuda, cuda:1 …") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {name!r} is not here: torch finds no CUDA device")


def _plain(value: Any) -> Any:
    """Make tuples lists, as JSON does."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
