"""Evaluations passed on to the tools that people follow runs with; `metrics.jsonl` stays the truth.

A tracker is a listener to training (`engine.progress.Progress`). Each needs its own library, which is imported when the
tracker is made: what is missing is said before anything trains. A resumed run goes on as the run that it was.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from fastweights.errors import UserError, check_choice
from fastweights.io.encode import plain
from fastweights.training.engine.progress import Progress

PROJECT = "fastweights"


class Tracker(Progress, ABC):
    """Passes the numbers of every evaluation on.

    Args:
        folder: of the run; its name is the run's.
        config: the run's settings.

    Raises:
        UserError: if the library is missing.
    """

    module: str
    extra: str

    def __init__(self, folder: Path, config: Mapping[str, object]) -> None:
        self.folder, self.config = folder.absolute(), plain(dict(config))
        try:
            self.library: Any = importlib.import_module(self.module)
        except ImportError:
            raise UserError(f"--track {self.extra} needs it: pip install {self.extra}") from None

    @property
    def identity(self) -> str:
        """A short name that is the folder's alone, by which a resumed run is found again."""
        return hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]

    # What a library says of itself belongs on stderr: stdout is for results.
    def start(self, step: int, steps: int) -> None:
        with redirect_stdout(sys.stderr):
            self.begin(step)

    def evaluated(self, row: Mapping[str, Any]) -> None:
        with redirect_stdout(sys.stderr):
            self.write(row["step"], dict(numbers(row)))

    def stop(self) -> None:
        with redirect_stdout(sys.stderr):
            self.finish()

    @abstractmethod
    def begin(self, step: int) -> None:
        """Begin a run, or go on with it from a step."""

    @abstractmethod
    def write(self, step: int, found: Mapping[str, float]) -> None:
        """Pass on what an evaluation found."""

    @abstractmethod
    def finish(self) -> None:
        """End what was begun."""


class TensorBoard(Tracker):
    """Event files in `tensorboard/` of the run's folder: `tensorboard --logdir runs`."""

    module, extra = "torch.utils.tensorboard", "tensorboard"

    def begin(self, step: int) -> None:
        # What an interrupted run wrote beyond its checkpoint is written again.
        folder, purged = str(self.folder / "tensorboard"), step + 1 if step else None
        self.writer = self.library.SummaryWriter(folder, purge_step=purged)

    def write(self, step: int, found: Mapping[str, float]) -> None:
        for name, value in found.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def finish(self) -> None:
        self.writer.close()


class WandB(Tracker):
    """A run of Weights & Biases, in the project `fastweights` or the one that WANDB_PROJECT names."""

    module, extra = "wandb", "wandb"

    def begin(self, step: int) -> None:
        self.run = self.library.init(
            project=_project("WANDB_PROJECT"),
            name=self.folder.name,
            id=self.identity,
            resume="allow",
            config=self.config,
        )

    def write(self, step: int, found: Mapping[str, float]) -> None:
        self.run.log(dict(found), step=step)

    def finish(self) -> None:
        self.run.finish()


class Trackio(Tracker):
    """A run of trackio, in the project `fastweights`: `trackio show`."""

    module, extra = "trackio", "trackio"

    def begin(self, step: int) -> None:
        self.library.init(
            project=PROJECT, name=self.folder.name, resume="allow", config=self.config
        )

    def write(self, step: int, found: Mapping[str, float]) -> None:
        self.library.log(dict(found), step=step)

    def finish(self) -> None:
        self.library.finish()


class MLflow(Tracker):
    """A run of MLflow, in the experiment `fastweights`, where MLFLOW_TRACKING_URI says."""

    module, extra = "mlflow", "mlflow"

    def begin(self, step: int) -> None:
        experiment = self.library.set_experiment(_project("MLFLOW_EXPERIMENT_NAME"))
        tag = f"{PROJECT}.run"
        found = self.library.search_runs(
            [experiment.experiment_id],
            filter_string=f"tags.`{tag}` = '{self.identity}'",
            output_format="list",
        )
        if found:
            self.library.start_run(run_id=found[0].info.run_id)
        else:
            self.library.start_run(run_name=self.folder.name, tags={tag: self.identity})
            self.library.log_params(self.config)

    def write(self, step: int, found: Mapping[str, float]) -> None:
        self.library.log_metrics(dict(found), step=step)

    def finish(self) -> None:
        self.library.end_run()


TRACKERS: dict[str, type[Tracker]] = {
    each.extra: each for each in (TensorBoard, WandB, MLflow, Trackio)
}
"""By name, which is that of the package to install."""


def build(name: str, folder: Path, config: Mapping[str, object]) -> Tracker:
    """Build a tracker by name.

    Raises:
        UserError: for another name, or if its library is missing.
    """
    check_choice("tracker", name, TRACKERS)
    return TRACKERS[name](folder, config)


def numbers(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the numbers of an evaluation by name, those of lists one by one; what is not known is left out.

    Example:
        >>> [*numbers({"step": 10, "loss": 0.5, "by_task": [1.0, None], "note": "a"})]
        [('loss', 0.5), ('by_task/0', 1.0)]
    """
    for name, value in row.items():
        if name == "step":
            continue
        if isinstance(value, list | tuple):
            yield from numbers({f"{name}/{place}": each for place, each in enumerate(value)})
        elif isinstance(value, int | float):
            yield name, float(value)


def _project(variable: str) -> str:
    return os.environ.get(variable, PROJECT)
