"""One trial of a search: a run that ends early where the median of those before was better."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fastweights.experiments.cluster import stopped
from fastweights.experiments.entry import curve_of, diverged
from fastweights.experiments.experiment import AnyExperiment, Goal
from fastweights.experiments.options import RunOptions
from fastweights.experiments.plan import Plan, Record, backend_of
from fastweights.experiments.reproduce import context
from fastweights.experiments.search import load_optuna
from fastweights.training.engine.progress import NoProgress, Several

if TYPE_CHECKING:
    import optuna

BEFORE = 5
"""Trials that are never ended early, before there is a median worth the name."""
FIRST_SHARE = 0.25
"""Share of a run's steps before it may be ended."""


class TrialRun(NamedTuple):
    """A run to make.

    Attributes:
        experiment, options: what is trained.
        folder: its.
        deadline: the time at which it stops, to go on with another call.
        curves: evaluations of the trials before, by step; None: it is not ended early.
        progress: show a bar on the terminal; without one a line a tenth, of a run that takes over two seconds.
    """

    experiment: AnyExperiment
    options: RunOptions
    folder: Path
    deadline: float
    curves: Sequence[Mapping[int, float]] | None
    progress: bool = False


def run_trial(run: TrialRun) -> Record | None:
    """Train, and return what there is to record; None where the deadline came first."""
    from fastweights import models
    from fastweights.experiments.runner import train
    from fastweights.runs import Run
    from fastweights.training import Diverged

    plan = run.experiment.plan(run.options)
    judge = _Judge(run, plan)
    if (run.folder / "config.json").exists():
        for row in Run.open(run.folder).metrics():
            judge.evaluated(row)
    result: Record = {}
    bar = run.progress and sys.stderr.isatty()
    lines = [_Tenths([plan.progress()])] if run.progress and not bar else []
    if not judge.hopeless:
        try:
            trained = train(
                run.experiment,
                run.options,
                run.folder,
                resume=True,
                progress=bar,
                listeners=[judge, *lines],
                stop=lambda: judge.hopeless or time.time() >= run.deadline or stopped(),
            )
        except Diverged as trouble:
            return diverged(plan, run.folder, trouble.step) | context()
        if trained.interrupted and not judge.hopeless:
            if time.time() < run.deadline and not stopped():
                raise KeyboardInterrupt  # Ctrl-C or SIGTERM is meant for the whole search
            return None
        result = trained.result
    rows = Run.open(run.folder).metrics()
    goal = run.experiment.goal
    return {
        "value": _value(rows, goal, plan.engine_settings().keep),
        "seconds": round(rows[-1]["seconds"], 2),
        "steps": rows[-1]["step"],
        "limit_seconds": plan.seconds,
        "backend": result.get("backend") or backend_of(models.from_config(plan.model_config())),
        "curve": curve_of(rows, (goal.key,)),
        **({} if result else {"pruned_at": rows[-1]["step"]}),
        **context(),
    }


def _value(rows: Sequence[Mapping[str, Any]], goal: Goal, keep: str | None) -> float:
    """Return the goal of the weights that a run ends with: the last ones, or those of its best evaluation."""
    if keep is None:
        return rows[-1][goal.key]
    return min(rows[1:] or rows, key=lambda row: row[keep])[goal.key]


class _Tenths(Several):
    """Passes on all but evaluations, of which a search has too many for a line each."""

    def evaluated(self, row: Mapping[str, Any]) -> None:
        """Show nothing."""


class _Judge(NoProgress):
    """Hears a run's evaluations, and knows when it is hopeless."""

    def __init__(self, run: TrialRun, plan: Plan) -> None:
        self.hopeless, self._goal = False, run.experiment.goal
        self._first = FIRST_SHARE * plan.engine_settings().steps
        self._trial = None if run.curves is None else _among(run.curves, self._goal)

    def evaluated(self, row: Mapping[str, Any]) -> None:
        if self._trial is not None:
            self._trial.report(row[self._goal.key], row["step"])
            due = row["step"] >= self._first
            self.hopeless = self.hopeless or (due and self._trial.should_prune())


def _among(curves: Sequence[Mapping[int, float]], goal: Goal) -> optuna.Trial:
    """Return a trial of a study in which the trials of these curves came before."""
    optuna = load_optuna()
    pruner = optuna.pruners.MedianPruner(n_startup_trials=BEFORE)
    study = optuna.create_study(direction=goal.direction, pruner=pruner)
    for curve in curves:
        last = curve[max(curve)]
        study.add_trial(optuna.trial.create_trial(value=last, intermediate_values=dict(curve)))
    return study.ask()
