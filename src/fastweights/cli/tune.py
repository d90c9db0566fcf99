"""`fastweights tune TASK`: search for settings, by trials that are recorded and go on."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from fastweights.cli.console import print_json, say, show
from fastweights.cli.parsing import parse
from fastweights.errors import UserError, check_choice
from fastweights.experiments import search_space
from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.options import BackboneOptions, RunOptions
from fastweights.experiments.search_space import Dimension, Space, Values
from fastweights.experiments.terminal import TextTable

if TYPE_CHECKING:
    from fastweights.experiments.search import Trial

Options = TypeVar("Options", bound=RunOptions)
SHOWN = 10
"""Trials in the table at the end, at most."""


@dataclass(frozen=True)
class Tune(Generic[Options]):
    """Search for settings of a task with Optuna: every trial is a run of `train` that ends early where it is worse
    than the median of those before, judged on validation data alone.

    Every option of `train` holds for all trials. Ctrl-C leaves everything resumable: the same command goes on, and
    one of more --trials adds to them.
    """

    experiment: Options
    search: tuple[str, ...] = ()
    """What to try: FIELD=a,b,c or FIELD=low:high, with :log by logarithms, such as learning-rate=1e-3:1e-1:log; also
    options of the backbone. [default: the learning rate]"""
    trials: int | None = None
    """Trials in all. [default: 40; of a grid all its points]"""
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    """`tpe` learns from the trials before; `grid` tries every combination of choices."""
    sampler_seed: int = 0
    """Seed of what is proposed."""
    prune: bool = True
    """Do not end runs early; by default one that is worse than the median of those before ends."""
    budget: float | None = None
    """Minutes to spend; cut short, the next call goes on. [default: until done]"""
    jobs: int = 1
    """Processes side by side, one thread each; with one a search is repeatable to the bit."""
    cluster: str | None = None
    """Train by the workers of a Dask scheduler, tcp://HOST:PORT, or by --jobs of them that SLURM is asked for (slurm).
    [default: here]"""
    storage: str | None = None
    """An address of Optuna's storage, such as sqlite:///trials.db, for its own tools. [default: none]"""
    results: Path = Path("my-results")
    """Folder of the recorded trials."""
    runs: Path = Path("runs")
    """Folder of the runs."""
    json: bool = False
    """Print the trials as one JSON object."""

    def run(self, experiment: AnyExperiment, given: Sequence[str]) -> int:
        """Search, report what came of it, and return the exit code.

        Args:
            experiment: whose options these are.
            given: the words behind the task.
        """
        from fastweights.experiments.search import Search
        from fastweights.experiments.tuning import tune

        space = self._space(experiment, given)

        def build(values: Values) -> RunOptions:
            command: Any = Tune[experiment.options]
            words = [*given, *self._words(values)]
            return parse(f"tune {experiment.name}", command, words).experiment

        search = Search(
            experiment=experiment,
            space=space,
            build=build,
            trials=self.trials,
            sampler=self.sampler,
            seed=self.sampler_seed,
            prune=self.prune,
        )

        def tell(trial: Trial, done: int) -> None:
            values = search_space.label(trial.values)
            said = f"{experiment.goal.key} {trial.value:.4g}" if trial.value is not None else ""
            ended = "" if trial.state == "complete" else f" ({trial.state} at step {trial.steps:,})"
            say(f"[{done}/{search.count}] {values}: {said}{ended}, {trial.seconds:.1f} s")

        trials = tune(
            search,
            results=self.results,
            runs=self.runs,
            jobs=self.jobs,
            cluster=self.cluster,
            budget_minutes=self.budget,
            storage=self.storage,
            show_progress=True,
            on_trial=tell,
        )
        complete = [trial for trial in trials if trial.state == "complete"]
        best = self._words(complete[0].values) if complete else []
        if self.json:
            listed = [trial._asdict() for trial in trials]
            print_json({"search": search.name, "trials": listed, "best": best})
            return 0
        if not trials:
            say("no trial is finished yet: the same command goes on")
            return 0
        show([_table(experiment, trials, self.results / search.name)])
        if best:
            words = shlex.join([*_kept(given), *best])
            print(f"train it: fastweights train {experiment.name} {words}")
        return 0

    def _words(self, values: Values) -> list[str]:
        """Return a point as words of the command line; options of the backbone follow those that are set already."""
        fields = {field.name for field in dataclasses.fields(self.experiment)}
        words = search_space.words({n: value for n, value in values.items() if n in fields})
        others = [f"{name}={value}" for name, value in values.items() if name not in fields]
        if others and isinstance(self.experiment, BackboneOptions):
            words += ["--set", *self.experiment.set, *others]
        return words

    def _space(self, experiment: AnyExperiment, given: Sequence[str]) -> Space:
        """Return what is searched: fields of the options, and options of the backbone."""
        from fastweights import models

        fields = [field.name for field in dataclasses.fields(self.experiment)]
        if isinstance(self.experiment, BackboneOptions):
            fields += models.options(models.describe(self.experiment.model).name)
        named = {word[2:].partition("=")[0].replace("-", "_") for word in given if word[:2] == "--"}
        space: dict[str, Dimension] = {}
        for text in self.search or experiment.search:
            name, dimension = search_space.parse(text)
            check_choice("option to search", name, fields)
            if name in named or name in space:
                raise UserError(f"--{name.replace('_', '-')} is given twice: search it, or set it")
            space[name] = dimension
        return space


def _kept(given: Sequence[str]) -> list[str]:
    """Return the words that `train` knows too."""
    foreign = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(Tune)}
    kept, keeping = [], True
    for word in given:
        if word.startswith("--"):
            name = word.partition("=")[0].replace("--no-", "--")
            keeping = name not in foreign
        if keeping:
            kept.append(word)
    return kept


def _table(experiment: AnyExperiment, trials: Sequence[Trial], where: Path) -> TextTable:
    """Return the best trials as a table."""
    names = list(trials[0].values)
    columns = (
        "trial",
        *(name.replace("_", " ") for name in names),
        experiment.goal.key,
        "steps",
        "ended",
    )
    rows = [
        (
            trial.number,
            *(search_space.shown(trial.values[name]) for name in names),
            "" if trial.value is None else f"{trial.value:.4g}",
            f"{trial.steps:,}",
            "" if trial.state == "complete" else trial.state,
        )
        for trial in trials[:SHOWN]
    ]
    title = f"{len(trials)} trials, the best first"
    return TextTable(title, columns, rows, note=f"trials: {where / 'cells.jsonl'}")
