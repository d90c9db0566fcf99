"""`fastweights train TASK`: one run of an experiment, from its options to a tested model and its record."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from fastweights.cli.console import print_json, say, show
from fastweights.errors import UserError
from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.options import RunOptions

O = TypeVar("O", bound=RunOptions)  # noqa: E741


@dataclass(frozen=True)
class Train(Generic[O]):
    """Train a model on a task, test it and record the run."""

    experiment: O
    out: Path | None = None
    """Run folder [default: runs/ and a name made of what sets the run apart]."""
    resume: bool = False
    """Continue the run in that folder, exactly as if it had never stopped."""
    overwrite: bool = False
    """Replace a run that stands in that folder."""
    plot: bool = False
    """Draw the run's figures at the end."""
    json: bool = False
    """Print the result as one JSON object."""

    def run(self, experiment: AnyExperiment, explicit: Collection[str]) -> int:
        """Train, report what came of it, and return the exit code.

        Args:
            experiment: whose options these are.
            explicit: the options that stand on the command line, be they as by default or not.
        """
        from fastweights.experiments.plotting import draw
        from fastweights.experiments.runner import train
        from fastweights.training.engine import distributed

        options = self.experiment
        folder = self.out or Path("runs") / experiment.plan(options).folder_name()
        with distributed.joined(options.device):
            first = distributed.rank() == 0
            if self.resume and not distributed.from_first(
                lambda: (folder / "config.json").exists()
            ):
                raise UserError(
                    f"there is no run in {folder} to resume: name its folder with --out, or leave out --resume"
                )
            trained = train(
                experiment,
                options,
                folder,
                resume=self.resume,
                overwrite=self.overwrite,
                explicit=explicit,
                progress=True,
            )
        if not first:
            return 130 if trained.interrupted else 0
        if trained.interrupted:
            again = f"fastweights train {experiment.name} --resume --out {shlex.quote(str(folder))}"
            say(f"stopped at step {trained.step}; to go on: {again}")
            return 130
        pictures = []
        if self.plot:
            pictures = draw([folder], gif=None, on_progress=lambda name: say(f"drawing {name} …"))
        if self.json:
            print_json(trained.result)
            return 0
        show(experiment.work.report(trained.result, trained.samples))
        print(f"run: {folder}")
        for picture in pictures:
            print(f"picture: {picture}")
        return 0
