"""Run a recipe: make or resume its run folder, train, test, and record the result."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from fastweights import models
from fastweights.errors import UserError
from fastweights.experiments.experiment import (
    LIMITS,
    Ready,
    Recipe,
    check_data,
    model_config,
    wants_more,
)
from fastweights.experiments.options import backend_option
from fastweights.runs import Run
from fastweights.training import Outcome, fit
from fastweights.training.engine import distributed


class Trained(NamedTuple):
    """What came of a recipe: the recorded result, a few answered questions, or where it was interrupted."""

    result: dict[str, Any]
    samples: list[dict[str, Any]]
    step: int
    interrupted: bool


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    said: Collection[str] = (),
    progress: bool = False,
    stop: Callable[[], bool] | None = None,
) -> Trained:
    """Train, test and record a recipe in a run folder.

    Within `training.distributed.joined` the processes train together; the first one writes and tests.

    Args:
        recipe: what to train; options left at None are filled in.
        folder: the run folder to make.
        resume: go on with the run in the folder, to the bit; where there is none yet, begin it.
        overwrite: replace the run in the folder.
        said: fields that were given in so many words. A resumed run must have them as they are here, even those that
            are as by default; of the others, a default says nothing.
        progress: show a bar on the terminal.
        stop: asked after each step; True ends the run as Ctrl-C does, resumable.

    Raises:
        UserError: if the folder holds something else, the recipe cannot be run, or training diverges.
    """
    if resume and overwrite:
        raise UserError("--resume and --overwrite exclude each other")
    run = distributed.from_first(
        lambda: Run.open(folder) if resume and (folder / "config.json").exists() else None
    )
    chosen = (_recorded(recipe, run, said) if run else recipe).resolve()
    recorded = distributed.from_first(lambda: _result(run) if run else None)
    if recorded is not None and not wants_more(recorded, chosen):
        return Trained(recorded, [], recorded["steps"], False)
    with _threads(chosen):
        return _train(chosen, folder, run, overwrite, progress, stop)


def _train(
    chosen: Ready,
    folder: Path,
    run: Run | None,
    overwrite: bool,
    progress: bool,
    stop: Callable[[], bool] | None,
) -> Trained:
    if run is not None:
        check_data(run, chosen.task_config())
    # The model comes before the folder: a setting that it refuses must leave nothing behind.
    torch.manual_seed(chosen.seed)
    model = models.from_config(_model_config(chosen, run))
    settings = chosen.engine_settings()
    source = chosen.source()
    writing = distributed.from_first(
        lambda: _extended(run, chosen) if run else _begin(chosen, folder, overwrite)
    )
    progress = progress and distributed.rank() == 0
    if progress:
        print(chosen.opening(model), file=sys.stderr, flush=True)
    shown = chosen.progress() if progress else None
    outcome = fit(model, source, settings, writing, progress=shown, stop=stop)
    if outcome.interrupted:
        return Trained({}, [], outcome.steps, True)
    return distributed.from_first(lambda: _finish(chosen, model, outcome, writing))


def _model_config(chosen: Ready, run: Run | None) -> dict[str, Any]:
    """Describe the model; that of a run as it was begun, whatever the defaults are by now, but for the backend."""
    config = model_config(chosen)
    if run is None:
        return config
    backend = backend_option(chosen.model, chosen.backend)
    return {**run.config["model"], "options": {**run.config["model"]["options"], **backend}}


def _finish(chosen: Ready, model: models.SequenceModel, outcome: Outcome, run: Run) -> Trained:
    tested, samples = chosen.examine(model, outcome)
    result = {
        "model": chosen.model,
        **tested,
        "steps": outcome.steps,
        "limit_seconds": chosen.engine_settings().seconds,
        "train_seconds": outcome.seconds,
        "compile_seconds": outcome.compile_seconds,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "backend": backend_of(model),
        "processes": distributed.world(),
        "threads": torch.get_num_threads(),
        "seed": chosen.seed,
        "out": str(run.folder),
    }
    run.write_result(result)
    return Trained(result, samples, outcome.steps, False)


@contextmanager
def _threads(recipe: Ready) -> Iterator[None]:
    """Train small networks on one thread: waking a second one costs a step more than it saves."""
    before = torch.get_num_threads()
    if recipe.small():
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def backend_of(model: models.SequenceModel) -> str:
    """Name the implementation of the model's recurrence that runs here."""
    return getattr(model.backbone, "backend_in_use", "torch")


def _begin(recipe: Ready, folder: Path, overwrite: bool) -> Run:
    assert dataclasses.is_dataclass(recipe) and not isinstance(recipe, type)
    fields = dataclasses.asdict(recipe)
    config = {
        "recipe": {name: _plain(value) for name, value in fields.items()},
        "model": model_config(recipe),
        "task": recipe.task_config(),
    }
    if overwrite and folder.exists():
        Run.open(folder)  # nothing but a run is ever replaced
        shutil.rmtree(folder)
    return Run.create(folder, config)


def _extended(run: Run, recipe: Ready) -> Run:
    """Record how long the run is to be now, so that resuming it needs no repetition of that."""
    given: Any = recipe
    now = {name: _plain(getattr(given, name)) for name in given.aside}
    record = run.config["recipe"]
    if run.result() is not None or any(record[name] != value for name, value in now.items()):
        run.update_config({**run.config, "recipe": {**record, **now}})
    return run


def _result(run: Run) -> dict[str, Any] | None:
    result = run.result()
    if result is not None and not isinstance(result.get("steps"), int):
        raise UserError(
            f"{run.folder / 'result.json'} says no steps: remove it, and --resume tests the run anew"
        )
    return result


def _plain(value: Any) -> Any:
    # Whole, so that it is found again from another working directory.
    return str(value.absolute()) if isinstance(value, Path) else value


def _recorded(given: Recipe, run: Run, said: Collection[str]) -> Recipe:
    """Take the recipe that a run was begun with; what is given besides must agree with it or may change."""
    assert dataclasses.is_dataclass(given)
    record = run.config.get("recipe")
    fields = {field.name: field for field in dataclasses.fields(given)}
    if not isinstance(record, dict) or set(record) != set(fields):
        raise UserError(f"{run.folder} is not a run of this command: it records no such recipe")
    record = {name: _as_given(value, fields[name]) for name, value in record.items()}
    kept = {name: value for name, value in record.items() if name not in given.free}
    asked = {name for name in LIMITS if name in given.aside and getattr(given, name) is not None}
    timed = record.get("minutes") is not None
    if asked and timed != ("minutes" in asked):
        # The run is to end at a limit of the other kind, not at what was recorded of the first.
        kept |= {name: None for name in LIMITS if name in given.aside}
    for name, field in fields.items():
        value = getattr(given, name)
        if value is None or name in given.free:
            continue
        if value == field.default and name not in said:
            continue
        if name in given.aside:
            kept[name] = value
        elif (models.describe(value).name if name == "model" else value) != record[name]:
            raise UserError(
                f"{run.folder} was begun with {name} {record[name]}, not {value}: leave it out to resume"
            )
    merged = dataclasses.replace(given, **kept)
    _check_decisive(given, record, merged, run)
    return merged


def _check_decisive(given: Any, record: dict[str, Any], merged: Any, run: Run) -> None:
    """Refuse another length where a schedule ends with it: the run would not be the one that was begun."""
    before = dataclasses.replace(given, **record).resolve().decisive()
    for name, value in merged.resolve().decisive().items():
        if name not in given.free and before.get(name, value) != value:
            raise UserError(
                f"{run.folder} was begun with {name} {before[name]}, with which a schedule ends: it cannot go on"
                f" with {value}"
            )


def _as_given(value: Any, field: dataclasses.Field[Any]) -> Any:
    """Undo what JSON and `_plain` make of a recipe's value."""
    if isinstance(value, list):
        return tuple(value)
    return Path(value) if isinstance(value, str) and "Path" in str(field.type) else value
