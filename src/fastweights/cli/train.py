"""`fastweights train TASK`: one run of an experiment, from its options to a tested model and its record."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, Literal, TypeVar

import tyro

from fastweights.cli.config import toml
from fastweights.cli.console import print_json, say, show
from fastweights.errors import UserError
from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.options import RunOptions

O = TypeVar("O", bound=RunOptions)  # noqa: E741


def _resume(words: list[str]) -> Literal["yes", "auto"]:
    if words not in ([], ["auto"]):
        raise ValueError(f"--resume stands alone or before auto, not {' '.join(words)}")
    return "auto" if words else "yes"


Resume = Annotated[
    Literal["", "yes", "auto"],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="[auto]",
        instance_from_str=_resume,
        is_instance=lambda value: value in ("", "yes", "auto"),
        str_from_instance=lambda value: [value or "no"],
    ),
]
"""Not given, given alone, or with the word auto."""


@dataclass(frozen=True)
class Train(Generic[O]):
    """Train a model on a task, test it and record the run."""

    experiment: O
    out: Path | None = None
    """Run folder. [default: runs/ and a name made of what sets the run apart]"""
    resume: Resume = ""
    """Continue the run in that folder, as if it had never stopped; `--resume auto` begins one where there is none."""
    overwrite: bool = False
    """Replace a run that stands in that folder."""
    plot: bool = False
    """Draw the run's figures at the end."""
    graph: bool = False
    """Record training steps as CUDA graphs and start each with one launch (--device cuda, one process)."""
    track: tuple[str, ...] = ()
    """Pass every evaluation on to these too: tensorboard, wandb, mlflow, trackio (each is a package to install)."""
    config: Path | None = None
    """Read options from a file, TOML or YAML, as --print-config shows one; the command line overrides it."""
    print_config: bool = False
    """Print all options, with what is taken for those that are not given, as such a file; nothing is trained."""
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
        from fastweights.training import trackers
        from fastweights.training.engine import distributed

        options = self.experiment
        plan = experiment.plan(options)
        config = dataclasses.asdict(plan)
        if self.print_config:
            for line in toml(experiment.name, config):
                print(line)
            return 0
        folder = self.out or Path("runs") / plan.folder_name()
        listeners = [trackers.build(name, folder, config) for name in self.track]
        with distributed.joined(options.device):
            first = distributed.rank() == 0
            if self.resume == "yes" and not distributed.from_first(
                lambda: (folder / "config.json").exists()
            ):
                raise UserError(
                    f"there is no run in {folder} to resume: name its folder with --out, or begin it by --resume auto"
                )
            trained = train(
                experiment,
                options,
                folder,
                resume=bool(self.resume),
                overwrite=self.overwrite,
                explicit=explicit,
                progress=True,
                listeners=listeners,
                graph=self.graph,
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
