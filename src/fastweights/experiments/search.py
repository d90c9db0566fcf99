"""A search for settings: what is tried and how, and what its trials came to."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from fastweights.errors import UserError, check_at_least
from fastweights.experiments import search_space
from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.options import RunOptions
from fastweights.experiments.search_space import Space, Values
from fastweights.experiments.study import Study

TRIALS = 40


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is searched for, and how.

    Attributes:
        experiment: on which task.
        space: what is tried, by option; not empty.
        build: makes the options of a run from a point of the space; raises `UserError` where they cannot be run.
        trials: runs in all; None: 40, of a grid all its points.
        sampler: "tpe" learns from the trials before, "random" does not, "grid" tries every point in order.
        seed: of the sampler.
        prune: end runs early that are worse than the median of those before.
    """

    experiment: AnyExperiment
    space: Space
    build: Callable[[Values], RunOptions]
    trials: int | None = None
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    seed: int = 0
    prune: bool = True

    def check(self) -> None:
        """Check every setting, and that every choice and both ends of every range can be run.

        Raises:
            UserError: naming what cannot.
        """
        load_optuna()
        check_at_least(1, **({} if self.trials is None else {"trials": self.trials}))
        if not self.space:
            raise UserError(
                f"nothing to search: name options of {self.experiment.name} with --search"
            )
        if self.sampler == "grid":
            next(search_space.grid(self.space))
        for point in search_space.ends(self.space):
            self.experiment.plan(self.build(point))

    @property
    def count(self) -> int:
        """Trials in all."""
        if self.sampler != "grid":
            return TRIALS if self.trials is None else self.trials
        points = sum(1 for _ in search_space.grid(self.space))
        return points if self.trials is None else min(points, self.trials)

    @property
    def name(self) -> str:
        """A name made of all that decides the trials, but for their number."""
        first = self.experiment.plan(self.build(next(search_space.ends(self.space))))
        shape = {name: repr(dimension) for name, dimension in self.space.items()}
        decided = [first.fingerprint(), first.seed, shape, self.sampler, self.seed, self.prune]
        digest = hashlib.sha256(json.dumps(decided).encode()).hexdigest()
        return f"tune-{self.experiment.name}-{digest[:8]}"

    @property
    def study(self) -> Study:
        """The study whose rows the trials are."""
        return Study(self.experiment, self.name, f"Trials of {self.experiment.name}", ())


class Trial(NamedTuple):
    """A finished trial.

    Attributes:
        number: in the order they were begun, from 0.
        values: what was tried.
        value: of the goal; None where training diverged.
        steps, seconds: of training.
        state: how it ended.
    """

    number: int
    values: Values
    value: float | None
    steps: int
    seconds: float
    state: Literal["complete", "pruned", "diverged"]


def trial_of(entry: Mapping[str, Any]) -> Trial:
    """Return a trial from what is recorded of it."""
    kept = entry["kept"]
    state: Literal["complete", "pruned", "diverged"] = "complete"
    if "diverged_at" in entry:
        state = "diverged"
    elif "pruned_at" in entry:
        state = "pruned"
    steps = entry.get("steps", entry.get("diverged_at", 0))
    return Trial(kept["trial"], kept["values"], entry["value"], steps, entry["seconds"], state)


def curve_of(search: Search, entry: Mapping[str, Any]) -> dict[int, float]:
    """Return a trial's evaluations as they are recorded, by step."""
    key = search.experiment.goal.key
    return {point["step"]: point[key] for point in entry.get("curve", ())}


def rank(search: Search, trial: Trial) -> tuple[bool, float]:
    """Return what trials are sorted by: complete ones first, of these the best."""
    value = math.inf if trial.value is None else trial.value
    least = search.experiment.goal.direction == "minimize" or trial.value is None
    return trial.state != "complete", value if least else -value


def load_optuna() -> Any:
    """Import Optuna, which is an extra."""
    try:
        import optuna
    except ImportError:
        raise UserError('searches need Optuna: pip install "fastweights[tune]"') from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
