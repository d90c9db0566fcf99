"""A study: the cells of a published table, what there is to compare them with, and what they are to reach."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from fastweights.errors import UserError
from fastweights.experiments.experiment import AnyExperiment, Figure
from fastweights.experiments.options import RunOptions
from fastweights.experiments.plan import Plan

Row: TypeAlias = Mapping[str, Any]
"""A recorded row, as `ledger.Row` has it."""


@dataclass(frozen=True)
class Reach:
    """A number to meet: a statistic of the seeds' values is at most `limit`, each in at most `seconds` of training.

    With `at_least` it is at least the limit: an accuracy rather than an error. `core_seconds` bounds the time on
    however many threads: an hour of two cores is 7,200.
    """

    limit: float
    of: Literal["worst", "median", "mean"] = "worst"
    seconds: float | None = None
    core_seconds: float | None = None
    at_least: bool = False

    def __str__(self) -> str:
        time = f", ≤ {self.seconds:g} s" if self.seconds else ""
        time += f", ≤ {self.core_seconds:g} core s" if self.core_seconds else ""
        return f"{self.of} {'≥' if self.at_least else '≤'} {self.limit:g}{time}"

    def met(
        self,
        values: Sequence[float | None],
        seconds: Sequence[float],
        threads: Sequence[int] | None = None,
    ) -> bool:
        """Return whether the seeds' values (None where training diverged) and training times meet the number."""
        sign = -1 if self.at_least else 1
        errors = [math.inf if value is None else sign * value for value in values]
        statistic = {"worst": max, "median": statistics.median, "mean": statistics.fmean}[self.of]
        cores = [1] * len(seconds) if threads is None else threads
        work = max(count * time for count, time in zip(cores, seconds, strict=True))
        in_time = self.seconds is None or max(seconds) <= self.seconds
        in_time = in_time and (self.core_seconds is None or work <= self.core_seconds)
        return statistic(errors) <= sign * self.limit and in_time


@dataclass(frozen=True)
class Cell:
    """One number of a table: its runs' options, the metric taken from their results, and what there is to compare with.

    Attributes:
        name: unique in its study; also the folder of its runs.
        options: what to train; the seed is filled in.
        metric: key of the result, for example `test_error_percent`.
        seeds: how many seeds are wanted.
        paper: the published figure, if there is one.
        reach: the bound to meet, if there is one.
        tested_on: test the run once more with these options, such as another number of pairs, and take the metric
            from that.
        mode: what the table calls the condition (data, budget …).
        also: further keys of the result whose values stand beside the metric.
        label: what the table calls the model, where its name alone does not tell; empty: its name.
        besides: figures that are known beforehand, by what their column is called: those of another protocol, say,
            which are no `paper`.
        keeps: further keys of the result, of any form, that the row keeps for the study's own tables and pictures.
        curve: keys of the rows of metrics that it keeps for them.
        stage_of: the name of the run that this cell is a stage of, where several cells ask for one run after so many
            epochs; empty: a run of its own.
    """

    name: str
    options: RunOptions
    metric: str = "test_error_percent"
    seeds: int = 3
    paper: float | None = None
    reach: Reach | None = None
    tested_on: Mapping[str, Any] | None = None
    mode: str = ""
    also: tuple[str, ...] = ()
    besides: Mapping[str, float] = field(default_factory=dict[str, float])
    keeps: tuple[str, ...] = ()
    curve: tuple[str, ...] = ()
    label: str = ""
    stage_of: str = ""

    def with_seed(self, seed: int) -> RunOptions:
        """Return its options with a seed."""
        return dataclasses.replace(self.options, seed=seed)

    def value(self, tested: Mapping[str, Any], folder: Path) -> float:
        """Return the metric of a run in a folder.

        Raises:
            UserError: if it was not measured.
        """
        if self.metric not in tested:
            raise UserError(
                f"{folder / 'result.json'} has no {self.metric}: remove it, and the same command tests the run anew"
            )
        return tested[self.metric]


@dataclass(frozen=True)
class Study:
    """A named set of cells of one experiment, with the sentences that a reader of its table needs.

    A study with a `no_binding_error` (in percent) or with `errors` is a table of errors by model and size, and is drawn
    as one; one with `modes` is a table of accuracies by model and mode. `pictures` draws further ones, and `tables`
    writes lines of its page, from the rows.
    """

    experiment: AnyExperiment
    name: str
    title: str
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = field(default=())
    no_binding_error: float | None = None
    modes: bool = False
    errors: bool = False
    pictures: Callable[[Sequence[Row]], Iterator[Figure]] | None = None
    tables: Callable[[Sequence[Row]], Iterator[str]] | None = None

    def plan(self, cell: Cell) -> Plan:
        """Return the plan of a cell's runs."""
        return self.experiment.plan(cell.options)

    def check(self, cell: Cell) -> None:
        """Raise `UserError` if a cell's runs would end without its metric: before they train, not after."""
        plan = self.plan(cell)
        if cell.tested_on is None:
            plan.check_figure(cell.metric)

    def fingerprint(self, cell: Cell) -> str:
        """Return a hash of everything that decides a cell's numbers; when it changes, the recorded row is void."""
        return self.plan(cell).fingerprint(cell.metric, cell.tested_on)

    def folder_name(self, cell: Cell) -> str:
        """Return a name for the folder of a cell's runs, which stages of one run share."""
        own = self.plan(cell).fingerprint() if cell.stage_of else self.fingerprint(cell)
        return f"{(cell.stage_of or cell.name).replace(' ', '-')}-{own}"

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether a recorded row is of one of the cells as they are now."""
        return any(
            cell.name == row["cell"] and self.fingerprint(cell) == row.get("fingerprint")
            for cell in self.cells
        )

    def lines(self, rows: Sequence[Row]) -> list[str]:
        """Return further lines of the study's page, of its rows."""
        return [] if self.tables is None else list(self.tables(rows))

    def draw(self, rows: Sequence[Row], path: Path) -> None:
        """Draw the table into a file, if it is one that is drawn, and other pictures of the rows beside it."""
        from fastweights import figures

        if self.errors or self.no_binding_error is not None:
            figure = figures.error_table(
                rows, no_binding_error=self.no_binding_error, title=self.title
            )
            figures.save(figure, path, dpi=150)
        elif self.modes:
            figures.save(figures.mode_table(rows, title=self.title), path, dpi=150)
        for figure in () if self.pictures is None else self.pictures(rows):
            figures.save(figure.make(), path.with_name(f"{figure.name}.png"), dpi=150)
