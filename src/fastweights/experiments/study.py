"""A study: the cells of a published table, run seed by seed, resumable, recorded as one JSON row per cell."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from fastweights.errors import UserError
from fastweights.experiments.experiment import Recipe, wants_more

R = TypeVar("R")


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
        """Tell whether the seeds' values (None where training diverged) and training times meet the number."""
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
    """One number of a table: a recipe, the metric taken from its result, and what there is to compare with.

    Attributes:
        name: unique in its study; also the folder of its runs.
        recipe: what to train; the seed is filled in.
        metric: key of the result, for example `test_error_percent`.
        seeds: how many seeds are wanted.
        paper: the published figure, if there is one.
        reach: the bound to meet, if there is one.
        tested_on: test the run once more with these options, such as another number of pairs, and take the metric
            from that.
        mode: what the table calls the condition (data, budget …).
        also: further keys of the result whose values stand beside the metric.
        label: what the table calls the model, where its name alone does not tell; empty: its name.
        stage_of: the name of the run that this cell is a stage of, where several cells ask for one run after so many
            epochs; empty: a run of its own.
    """

    name: str
    recipe: Recipe
    metric: str = "test_error_percent"
    seeds: int = 3
    paper: float | None = None
    reach: Reach | None = None
    tested_on: Mapping[str, Any] | None = None
    mode: str = ""
    also: tuple[str, ...] = ()
    label: str = ""
    stage_of: str = ""

    def fingerprint(self) -> str:
        """Return a hash of everything that decides the numbers; a changed recipe makes its old row void."""
        return _hashed([self._decisive(), self.metric, self.tested_on])

    def folder_name(self) -> str:
        """Name the folder of its runs, one of which stages of it share."""
        own = _hashed(self._decisive()) if self.stage_of else self.fingerprint()
        return f"{(self.stage_of or self.name).replace(' ', '-')}-{own}"

    def _decisive(self) -> dict[str, Any]:
        # The network besides: some of its options stand in a recipe's settings and are no field of it.
        ready: Any = self.recipe.resolve()
        return {**dataclasses.replace(ready, seed=0).decisive(), "network": ready.network()}


def _hashed(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def with_seed(recipe: R, seed: int) -> R:
    """Return the recipe with another seed."""
    changed: Any = recipe
    return dataclasses.replace(changed, seed=seed)


@dataclass(frozen=True)
class Study:
    """A named set of cells with the sentences that a reader of its table needs.

    A study with a `no_binding_error` (in percent) or with `errors` is a table of errors by model and size, and is drawn
    as one; one with `modes` is a table of accuracies by model and mode.
    """

    name: str
    title: str
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = field(default=())
    no_binding_error: float | None = None
    modes: bool = False
    errors: bool = False

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a recorded row is of one of the cells as they are now: a changed recipe makes its row void."""
        return any(
            cell.name == row["cell"] and cell.fingerprint() == row.get("fingerprint")
            for cell in self.cells
        )

    def draw(self, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Draw the table into a file, if it is one that is drawn."""
        from fastweights import figures

        if self.errors or self.no_binding_error is not None:
            figure = figures.error_table(
                rows, no_binding_error=self.no_binding_error, title=self.title
            )
            figures.save(figure, path, dpi=150)
        elif self.modes:
            figures.save(figures.mode_table(rows, title=self.title), path, dpi=150)


class Ledger:
    """The recorded rows of a study: `results/STUDY/cells.jsonl`, one JSON object per cell.

    A row keeps each seed's value, so that later calls add seeds without the run folders of the earlier ones.
    """

    def __init__(self, folder: Path, study: Study) -> None:
        self.path = folder / study.name / "cells.jsonl"
        self.study = study
        self.rows = self._read()

    def done(self, cell: Cell) -> dict[int, dict[str, Any]]:
        """Return what is recorded for a cell, by seed; nothing if the recipe has changed since."""
        row = self.rows.get(cell.name)
        if row is None or row["fingerprint"] != cell.fingerprint():
            return {}
        ready = cell.recipe.resolve()
        return {
            int(seed): {**{name: row[name] for name in ORIGIN if name in row}, **entry}
            for seed, entry in row["by_seed"].items()
            if not wants_more(entry, ready)
        }

    def current(self) -> list[dict[str, Any]]:
        """Return the rows of the study as it is now, in its order; those of changed recipes are not among them."""
        return [row for row in self.rows.values() if self.study.holds(row)]

    def add(self, cell: Cell, seed: int, entry: dict[str, Any], backend: str) -> None:
        """Record one seed's outcome, which says where it comes from, and write the file anew, atomically.

        Several processes may work on a study: each reads what the others have written before it adds its own.
        """
        from fastweights.io.atomic import write_atomically

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _lock(self.path.with_name(".lock")):
            self.rows = self._read()
            by_seed = {**self.done(cell), seed: entry}
            self.rows[cell.name] = _row(self.study, cell, by_seed, backend)
            order = {known.name: place for place, known in enumerate(self.study.cells)}
            rows = sorted(self.rows.values(), key=lambda row: order.get(row["cell"], len(order)))
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            write_atomically(self.path, text.encode())

    def _read(self) -> dict[str, dict[str, Any]]:
        rows = recorded(self.path, KEYS | DECIDED) if self.path.exists() else []
        return {row["cell"]: row for row in rows}


KEYS = {
    *("cell", "model", "mode", "metric", "value", "sd", "median", "seeds", "paper", "reach", "met"),
    *("steps", "seconds", "backend", "machine"),
}
"""What every recorded row says."""

ORIGIN = ("machine", "commit")
"""Where a seed's figures come from; a row names all that its seeds name."""

DECIDED = {"fingerprint", "by_seed"}
"""What a row of a study says besides, from which it is known what is left to run."""


def recorded(path: Path, keys: Set[str] = KEYS) -> list[dict[str, Any]]:
    """Read recorded rows, each with these keys at least.

    Raises:
        UserError: naming the first line that is none.
    """
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not row.keys() >= keys:
            raise UserError(f"{path}, line {number}, is not a row of results")
        rows.append(row)
    return rows


@contextmanager
def _lock(path: Path, seconds: float = 10.0) -> Iterator[None]:
    """Hold the lock of a ledger for the moment of a write; another writer is waited for."""
    from fastweights.runs import Lock

    until = time.monotonic() + seconds
    lock = Lock(path)
    while True:
        try:
            lock.__enter__()
            break
        except UserError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.__exit__()


def _row(
    study: Study, cell: Cell, by_seed: dict[int, dict[str, Any]], backend: str
) -> dict[str, Any]:
    recipe = cell.recipe.resolve()
    about = recipe.describe()
    all_values = [by_seed[seed]["value"] for seed in sorted(by_seed)]
    values = [value for value in all_values if value is not None]
    seconds = [by_seed[seed]["seconds"] for seed in sorted(by_seed)]
    threads = [by_seed[seed].get("threads", 1) for seed in sorted(by_seed)]
    steps = [entry["steps"] for entry in by_seed.values() if "steps" in entry]
    return {
        "recipe": study.name,
        "cell": cell.name,
        "task": about["task"],
        "model": recipe.model,
        "label": cell.label or recipe.model,
        "mode": cell.mode,
        "metric": cell.metric,
        "value": statistics.fmean(values) if values else None,
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "median": statistics.median(values) if values else None,
        "seeds": len(all_values),
        "diverged": len(all_values) - len(values),
        "paper": cell.paper,
        "reach": str(cell.reach) if cell.reach else None,
        "met": cell.reach.met(all_values, seconds, threads) if cell.reach else None,
        "steps": max(steps) if steps else recipe.steps,
        "seconds": statistics.fmean(seconds),
        "hidden": about["hidden"],
        "also": {
            name: _mean([entry.get("also", {}).get(name) for entry in by_seed.values()])
            for name in cell.also
        },
        "backend": backend,
        **{
            name: "; ".join(sorted({entry[name] for entry in by_seed.values() if entry.get(name)}))
            for name in ORIGIN
        },
        "fingerprint": cell.fingerprint(),
        "by_seed": {str(seed): by_seed[seed] for seed in sorted(by_seed)},
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
