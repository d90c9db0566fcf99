"""`fastweights train TASK`: one run, from a recipe to a tested model and its record."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import tyro

from fastweights.cli import speech
from fastweights.cli.console import print_json, say
from fastweights.errors import UserError
from fastweights.experiments.catbabi import CatBAbI
from fastweights.experiments.catch import Catch
from fastweights.experiments.experiment import Recipe
from fastweights.experiments.glimpses import Glimpses
from fastweights.experiments.metro_map import MetroMap
from fastweights.experiments.retrieval import Retrieval
from fastweights.experiments.text import Text

R = TypeVar("R", bound=Recipe)


@dataclass(frozen=True)
class Training:
    """The options that every kind of training has."""

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
    said: tyro.conf.Suppress[tuple[str, ...]] = ()
    """The options that stand on the command line, be they as by default or not."""

    def train(self, recipe: Recipe, task: str) -> int:
        """Train a recipe as these options say, and report what came of it."""
        from fastweights.experiments.plotting import draw
        from fastweights.experiments.runner import train
        from fastweights.training.engine import distributed

        folder = self.out or Path("runs") / recipe.resolve().folder_name()
        with distributed.joined(recipe.device):
            first = distributed.rank() == 0
            if self.resume and not distributed.from_first(lambda: _stands(folder)):
                raise UserError(
                    f"there is no run in {folder} to resume: name its folder with --out, or leave out --resume"
                )
            outcome = train(
                recipe,
                folder,
                resume=self.resume,
                overwrite=self.overwrite,
                said=self.said,
                progress=True,
            )
        if not first:
            return 130 if outcome.interrupted else 0
        if outcome.interrupted:
            again = f"fastweights train {task} --resume --out {shlex.quote(str(folder))}"
            say(f"stopped at step {outcome.step}; to go on: {again}")
            return 130
        pictures = (
            draw([folder], gif=None, told=lambda name: say(f"drawing {name} …"))
            if self.plot
            else []
        )
        if self.json:
            print_json(outcome.result)
            return 0
        speech.of_task(task).show_result(outcome.result, outcome.samples)
        print(f"run: {folder}")
        for picture in pictures:
            print(f"picture: {picture}")
        return 0


@dataclass(frozen=True)
class TrainRetrieval(Training, Retrieval):
    """Train a model on associative retrieval: `c9k8j3f1??c → 9` (Ba et al. 2016, section 4.1).

    Settings left at None are those that reach the recorded accuracy for the chosen pairs, form and model.
    """

    def run(self) -> int:
        return self.train(_only(Retrieval, self), "retrieval")


@dataclass(frozen=True)
class TrainCatBAbI(Training, CatBAbI):
    """Train a model on catbAbI: all bAbI stories as one endless text (Schlag et al. 2021, section 4.1).

    Settings left at None are those recorded for the chosen model and mode. On several cores or GPUs:
    torchrun --nproc-per-node N -m fastweights train catbabi …
    """

    def run(self) -> int:
        return self.train(_only(CatBAbI, self), "catbabi")


@dataclass(frozen=True)
class TrainGlimpses(Training, Glimpses):
    """Train a model on MNIST seen as 24 small glimpses at two scales (Ba et al. 2016, section 4.2).

    Settings left at None are the same for all models but for the learning rate.
    """

    def run(self) -> int:
        return self.train(_only(Glimpses, self), "glimpses")


@dataclass(frozen=True)
class TrainCatch(Training, Catch):
    """Train agents on Catch: the ball falls on when the screen has gone blank (Ba et al. 2016, section 4.4).

    Settings left at None are the same for all models but for the learning rate.
    """

    def run(self) -> int:
        return self.train(_only(Catch, self), "catch")


@dataclass(frozen=True)
class TrainMetroMap(Training, MetroMap):
    """Train agents to find their way on metro maps that only riding reveals (Schlag et al. 2021, section 4.2).

    Settings left at None are the paper's, the same for all models.
    """

    def run(self) -> int:
        return self.train(_only(MetroMap, self), "metro-map")


@dataclass(frozen=True)
class TrainText(Training, Text):
    """Train a word language model (Schlag et al. 2021, section 4.3) on Penn Treebank, WikiText-2 or any text.

    Settings left at None are the preset's, the same for awd-lstm and awd-fwm. On several cores or GPUs:
    torchrun --nproc-per-node N -m fastweights train text …
    """

    def run(self) -> int:
        return self.train(_only(Text, self), "text")


def _stands(folder: Path) -> bool:
    return (folder / "config.json").exists()


def _only(kind: type[R], options: R) -> R:
    """Take a recipe's own fields out of a command's options."""
    fields: Any = dataclasses.fields(cast(Any, kind))
    return kind(**{field.name: getattr(options, field.name) for field in fields})
