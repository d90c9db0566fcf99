"""A trained run with all that asking and drawing need, and where each task's part in that is found."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from fastweights import runs, tasks
from fastweights.errors import UserError
from fastweights.experiments.experiment import check_data
from fastweights.runs import Run

TASKS = ("retrieval", "catbabi", "glimpses", "catch", "metro-map", "text")
"""The tasks that have recipes, each in a package of its name beside this module."""


class Opened(NamedTuple):
    """A run: its model in evaluation mode, its task, and its records."""

    folder: Path
    model: Any
    task: Any
    config: dict[str, Any]
    metrics: list[dict[str, Any]]
    result: dict[str, Any] | None

    def recorded(self, figure: str) -> Any:
        """Return a figure of the result.

        Raises:
            UserError: if the run has no result, or it lacks the figure.
        """
        if self.result is None:
            raise UserError(f"{self.folder} has no result yet: resume it")
        if figure not in self.result:
            raise UserError(f"{self.folder}/result.json has no {figure}: it was changed")
        return self.result[figure]


def open_run(folder: Path, **options: Any) -> Opened:
    """Load a run with its task.

    Args:
        folder: a run folder.
        options: of the task, which stand above the recorded ones; without a data_dir, the data is
            looked for where it was in training.

    Raises:
        UserError: if the folder is no run of a task with a recipe, or has no checkpoint, or the
            data has other words or stories than those the run was trained on.
    """
    name = task_name(folder)
    run = checked(folder)
    trained = run.config["recipe"].get("data_dir")
    place = {} if trained is None else {"data_dir": trained}
    try:
        task = tasks.build(name, **{**run.config["task"]["options"], **place, **options})
    except TypeError as wrong:
        raise UserError(f"{folder}/config.json describes no task {name}: {wrong}") from wrong
    check_data(run, {"fingerprint": getattr(task, "fingerprint", None)})
    shown, read = getattr(task, "features", None), run.config["model"].get("input")
    if shown not in (None, read):
        raise UserError(
            f"{folder}/config.json was changed: its task shows {shown} numbers a step, its model reads {read}"
        )
    return Opened(folder, runs.load(folder), task, run.config, run.metrics(), run.result())


def checked(folder: Path) -> Run:
    """Open a run whose `config.json` says what was trained, and on what.

    Raises:
        UserError: if the folder is no such run.
    """
    run = Run.open(folder)
    task = run.config.get("task")
    for title, entry in (
        ("recipe", run.config.get("recipe")),
        ("model", run.config.get("model")),
        ("task", task),
        ("task's options", task.get("options") if isinstance(task, dict) else None),
    ):
        if not isinstance(entry, dict):
            raise UserError(f"{folder}/config.json does not describe the {title}: it was changed")
    return run


def task_name(folder: Path) -> str:
    """Name the task that a run was trained on.

    Raises:
        UserError: if the folder is no run of a task with a recipe.
    """
    task = Run.open(folder).config.get("task")
    if not isinstance(task, dict) or task.get("name") not in TASKS:
        raise UserError(f"{folder} is not a run of a task that can be asked: {', '.join(TASKS)}")
    return task["name"]


def part(folder: Path, name: str) -> ModuleType:
    """Load what the task of a run has for `name`: "predict" or "figures"."""
    return part_of(task_name(folder), name)


def part_of(task: str, name: str) -> ModuleType:
    """Load what a task has for `name`."""
    package = task.replace("-", "_")
    return importlib.import_module(f"fastweights.experiments.{package}.{name}")
