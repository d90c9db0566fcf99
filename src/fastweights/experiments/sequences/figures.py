"""Pictures of runs of the tests of sequence models: curves, the score by step, a sequence seen from inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch

from fastweights import figures
from fastweights.errors import UserError
from fastweights.experiments.experiment import Figure
from fastweights.experiments.grouping import group
from fastweights.experiments.loaded_run import LoadedRun
from fastweights.experiments.sequences.predict import about
from fastweights.tasks import MQAR, SequenceTask, StateTracking

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Run = LoadedRun[SequenceTask]

SHOWN = 16
"""Symbols of the sequence to look inside with where none is given."""


def draw(run: Run, sequence: str | None) -> Iterator[Figure]:
    """Draw one run; of state tracking a sequence seen from inside too, a typed one or one of the task.

    Raises:
        UserError: if a sequence is given and the task has none that are typed, or it cannot be read.
    """
    title = f"{run.name}, {about(run)}"
    if sequence is not None and not isinstance(run.task, StateTracking):
        raise UserError(f"no sequence of {run.config['task']['name']} can be typed")
    yield Figure("training", lambda: _training({"": [run]}, title))
    if run.result is not None:
        yield Figure("steps", lambda: _steps({run.name: [run]}, title))
    if isinstance(run.task, StateTracking):
        yield from _inside(run, run.task, sequence, title)


def _inside(run: Run, task: StateTracking, sequence: str | None, title: str) -> Iterator[Figure]:
    tokens = task.sample(1, torch.Generator().manual_seed(0)).tokens[0, :SHOWN]
    if sequence is not None:
        tokens = task.encode(sequence)
    symbols = task.decode(tokens).split()
    with torch.no_grad():
        trace = run.model.trace(tokens[None])
    yield Figure("hidden", lambda: figures.hidden_trace(trace, symbols, title=title))
    if trace.memory is not None and trace.memory.dim() > 3:
        yield Figure("memory", lambda: figures.memory_evolution(trace, symbols, title=title))


def compare(runs: list[Run]) -> Iterator[Figure]:
    """Compare runs of one task.

    Raises:
        UserError: if they are of several.
    """
    first = runs[0]
    if any(run.config["task"] != first.config["task"] for run in runs):
        raise UserError("runs of different tasks cannot be compared in one figure")
    groups = group(runs)
    yield Figure("comparison", lambda: _training(groups, about(first)))
    if all(run.result is not None for run in runs):
        yield Figure("steps", lambda: _steps(groups, about(first)))


def _training(groups: Mapping[str, list[Run]], title: str) -> Drawing:
    """Draw the learning curves, of one run with those of its loss and gradients."""
    run = next(iter(groups.values()))[0]
    metrics = {name: [seed.metrics for seed in seeds] for name, seeds in groups.items()}
    if run.task.measure == "squared_error":
        return figures.reward_curves(
            metrics,
            panels={"squared_error": "squared error"},
            levels={"squared_error": _levels(run)},
            clock="training step",
            title=title,
        )
    ceiling = run.task.no_binding_ceiling if isinstance(run.task, MQAR) else None
    options: dict[str, Any] = {"no_binding_ceiling": ceiling, "title": title}
    if list(groups) == [""]:
        return figures.training_curves(run.metrics, **options)
    return figures.comparison(metrics, **options)


def _steps(groups: Mapping[str, list[Run]], title: str) -> Drawing:
    """Draw the score of each step in the tests of finished runs."""
    run = next(iter(groups.values()))[0]
    ridge = (run.result or {}).get("per_step_ridge")
    return figures.score_by_step(
        {
            name: [seed.recorded("per_step_score") for seed in seeds]
            for name, seeds in groups.items()
        },
        measure=run.task.measure,
        trained=run.recorded("trained_length"),
        levels=_levels(run),
        beside=None if ridge is None else {"ridge regression": ridge},
        title=title,
    )


def _levels(run: Run) -> dict[str, float]:
    """Return what the scores are compared with: those of a model without memory, and without binding."""
    result = run.result or {"chance": run.task.chance}
    if run.task.measure == "squared_error":
        return {"always 0": result["chance"], "noise": run.task.best_possible}
    known = {"without memory": result["chance"]}
    if "no_binding_ceiling" in result:
        known["no binding"] = result["no_binding_ceiling"]
    return known
