"""`fastweights reproduce`: a published table, made again."""

from __future__ import annotations

import builtins
import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from fastweights.cli.console import print_json, say, show
from fastweights.errors import UserError
from fastweights.io.cache import VARIABLE

if TYPE_CHECKING:
    from fastweights.experiments.demonstration import Demonstration
    from fastweights.experiments.study import Study


@dataclass(frozen=True)
class Reproduce:
    """Make a published table again, cell by cell; `fastweights list` names the studies.

    Finished cells are skipped, so a later call adds what is missing: more seeds, or more time. Ctrl-C leaves
    everything resumable.
    """

    study: tyro.conf.Positional[str]
    """Name of the study."""
    budget: float | None = None
    """Minutes to spend; cut short, the next call goes on. [default: until done]"""
    seeds: int | None = None
    """Seeds for every cell. [default: each cell's own]"""
    only: str = "*"
    """Run only the cells whose name matches this; * stands for anything."""
    models: tuple[str, ...] = ()
    """Run only cells of these models. [default: of all]"""
    modes: tuple[str, ...] = ()
    """catbAbI: run only cells of these modes, qa or lm. [default: of both]"""
    minutes: float | None = None
    """Studies at equal time: minutes of training for each run; runs of less time go on. [default: the study's]"""
    jobs: int = 1
    """Processes side by side, one thread each."""
    cluster: str | None = None
    """Train by the workers of a Dask scheduler, tcp://HOST:PORT, or by --jobs of them that SLURM is asked for (slurm).
    [default: here]"""
    list: bool = False
    """Name the cells, with what is recorded of them and the paper's numbers; nothing runs."""
    check: str | None = None
    """Run this cell again, apart from all else, and compare it with what is recorded: exit code 0 where it agrees: it
    is equal, or within 3 standard deviations of the recorded seeds; of a single seed, within 5 %."""
    results: Path = Path("my-results")
    """Folder of your own rows."""
    recorded: Path = Path("results")
    """Folder of the rows to compare with, such as those of a clone; it is only read."""
    runs: Path = Path("runs")
    """Folder of the runs."""
    data_dir: Path | None = None
    """Folder of the data sets, or of the one that is trained on. [default: FASTWEIGHTS_DATA, else the cache folder]"""
    json: bool = False
    """Print the rows as one JSON object."""

    def run(self) -> int:
        from fastweights.experiments import registry, report
        from fastweights.experiments.comparison import comparison, recorded_rows
        from fastweights.experiments.demonstration import Demonstration
        from fastweights.experiments.study import Study

        if self.data_dir is not None:
            os.environ[VARIABLE] = str(self.data_dir)  # the processes of --jobs inherit it
        study = registry.study(self.study)
        theirs = recorded_rows(self.recorded, study.name)
        assert isinstance(study, Study | Demonstration)
        if isinstance(study, Demonstration):
            self._check_untrained(but=("only",) if self.list else ())
        if self.list or self.check is not None:
            return self._list(study, theirs) if self.list else self._check(study, theirs)
        report.check(self.results)
        untrained = isinstance(study, Demonstration)
        rows = study.reproduce(self.results, self.seeds) if untrained else self._train(study)
        written = report.write(self.results, study.name)
        if self.json:
            print_json({"study": study.name, "rows": rows, "report": str(written)})
        elif not rows:
            say(f"no row of {study.name} is finished yet: the same command goes on")
        else:
            folder = self.results / study.name
            if self.recorded.resolve() == self.results.resolve():
                theirs = {}
            show([comparison(study.title, rows, theirs, f"yours are in {folder} and {written}")])
        return 0

    def _list(self, study: Study | Demonstration, theirs: Mapping[str, Mapping[str, Any]]) -> int:
        from fastweights.experiments.comparison import cell_list, listed

        cells = listed(study, self.only, self.models, self.modes)
        if self.json:
            print_json({"study": study.name, "cells": [cell.name for cell in cells]})
        else:
            show([cell_list(study.title, cells, theirs)])
        return 0

    def _check(self, study: Study | Demonstration, theirs: Mapping[str, Mapping[str, Any]]) -> int:
        from fastweights.experiments.comparison import check

        assert self.check is not None
        checked = check(study, self.check, theirs)
        if self.json:
            print_json(checked._asdict())
        else:
            verdict = "agrees" if checked.agrees else "DIFFERS"
            numbers = f"{checked.value} now, {checked.recorded} recorded"
            seeds = "all seeds" if checked.seed is None else f"seed {checked.seed}"
            print(f"{checked.cell}, {seeds}: {numbers}: {verdict}, {checked.reason}")
        return 0 if checked.agrees else 1

    def _check_untrained(self, but: tuple[str, ...]) -> None:
        """Refuse options of training where nothing is trained."""
        names = ("budget", "only", "models", "modes", "minutes", "jobs", "cluster")
        for field in dataclasses.fields(self):
            if field.name in {*names} - {*but} and getattr(self, field.name) != field.default:
                raise UserError(f"{self.study} trains nothing: it has no --{field.name}")

    def _train(self, study: Study) -> builtins.list[dict[str, Any]]:
        from fastweights.experiments.reproduce import Progress, chosen_cells, reproduce

        def tell(progress: Progress) -> None:
            place = f"[{progress.done}/{progress.total}] {progress.cell}, seed {progress.seed}"
            say(f"{place}: {_outcome(progress.entry)}")

        ledger = reproduce(
            study,
            results=self.results,
            runs=self.runs,
            budget_minutes=self.budget,
            seeds=self.seeds,
            only=self.only,
            models=self.models,
            modes=self.modes,
            minutes=self.minutes,
            jobs=self.jobs,
            cluster=self.cluster,
            show_progress=True,
            on_progress=tell,
        )
        cells = chosen_cells(study, self.only, self.models, self.modes)
        names = {cell.name for cell in cells}
        return [row for row in ledger.current() if row["cell"] in names]


def _outcome(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "cut short by the budget, resumable"
    if entry["value"] is None:
        return f"diverged at step {entry['diverged_at']:,}"
    return f"{entry['value']:.4g} in {entry['seconds']:.1f} s"
