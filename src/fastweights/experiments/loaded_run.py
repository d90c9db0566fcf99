"""A trained run with all that questions, tests and figures need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fastweights.errors import UserError
from fastweights.experiments.records import config_of, metrics_of, result_of
from fastweights.io.typed import check

if TYPE_CHECKING:
    from fastweights.models import SequenceModel
    from fastweights.runs import Run

T = TypeVar("T")


@dataclass(frozen=True)
class LoadedRun(Generic[T]):
    """A run: its model in evaluation mode, its task, and its records."""

    folder: Path
    model: SequenceModel
    task: T
    config: dict[str, Any]
    metrics: list[dict[str, Any]]
    result: dict[str, Any] | None

    @property
    def name(self) -> str:
        """The model's registered name."""
        return self.config["model"]["name"]

    @property
    def plan(self) -> dict[str, Any]:
        """The fields of the plan that it was trained by."""
        return self.config["plan"]

    def about(self) -> dict[str, Any]:
        """Return what every test of a run says of it."""
        return {"out": str(self.folder), "model": self.name}

    def recorded(self, figure: str) -> Any:
        """Return a figure of the result.

        Raises:
            UserError: if the run has no result, or it lacks the figure.
        """
        if self.result is None:
            raise UserError(f"{self.folder} has no result yet: resume it")
        return self.result[figure]


def open_run(folder: Path, data_dir: Path | None = None) -> LoadedRun[Any]:
    """Load a run with its task.

    Args:
        folder: a run folder.
        data_dir: where the task's data is; None: where it was in training.

    Raises:
        UserError: if the folder is no run of a task, or has no checkpoint, or the data has other words or stories
            than those the run was trained on.
    """
    from fastweights import tasks

    run = open_checked(folder)
    name = run.config["task"]["name"]
    check(f"{folder}/config.json", run.config["task"]["options"], tasks.kind(name))
    trained = run.config["plan"].get("data_dir")
    options = {**run.config["task"]["options"], "data_dir": data_dir or trained}
    if options["data_dir"] is None:
        del options["data_dir"]
    try:
        task = tasks.build(name, **options)
    except TypeError as wrong:
        raise UserError(f"{folder}/config.json describes no task {name}: {wrong}") from wrong
    check_data(run, {"fingerprint": getattr(task, "fingerprint", None)})
    features, read = getattr(task, "features", None), run.config["model"].get("input")
    if features not in (None, read):
        raise UserError(
            f"{folder}/config.json was changed: its task shows {features} numbers a step, its model reads {read}"
        )
    return loaded(run, task)


def loaded(run: Run, task: T) -> LoadedRun[T]:
    """Load a run's model and its records, beside its task."""
    from fastweights import runs

    return LoadedRun(
        run.folder, runs.load(run.folder), task, run.config, metrics_of(run), result_of(run)
    )


def open_checked(folder: Path) -> Run:
    """Open a run whose `config.json` says what was trained, and on which task.

    Raises:
        UserError: if the folder is no such run.
    """
    from fastweights import tasks
    from fastweights.runs import Run

    run = Run.open(folder)
    task = run.config.get("task")
    if not isinstance(task, dict) or task.get("name") not in tasks.names():
        raise UserError(
            f"{folder} is not a run of a task that can be asked: {', '.join(tasks.names())}"
        )
    config_of(run)
    return run


def check_data(run: Run, task: Mapping[str, Any]) -> None:
    """Raise `UserError` unless a task, as `Plan.task_config` has it, has the data that a run was begun with."""
    if task.get("fingerprint") != run.config["task"].get("fingerprint"):
        raise UserError(f"{run.folder} was trained on other words or stories than those given now")
