"""A demonstration: numbers and a picture that need no training, recorded beside the studies that do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from fastweights.errors import UserError
from fastweights.experiments.ledger import statistics_of, write_rows
from fastweights.experiments.plan import Record
from fastweights.experiments.study import Reach

Measured = Mapping[str, Sequence[float]]
"""By case: one value for each seed."""


class Case(NamedTuple):
    """One number of a demonstration: of which model, under which condition, after how many steps, to reach what."""

    model: str
    mode: str
    metric: str
    steps: int
    reach: Reach | None = None


@dataclass(frozen=True)
class Demonstration:
    """Named cases, a function that measures all of them for some seeds, and one that draws them into a file."""

    name: str
    title: str
    cases: Mapping[str, Case]
    measure: Callable[[int], Measured]
    picture: Callable[[Path], None]
    notes: tuple[str, ...] = ()
    seeds: int = 10

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether a recorded row is of one of the cases."""
        return row["cell"] in self.cases

    def chosen(self, only: str) -> dict[str, Case]:
        """Return the cases that a user chooses by name, * standing for anything.

        Raises:
            UserError: if there is none.
        """
        found = {name: case for name, case in self.cases.items() if fnmatchcase(name, only)}
        if not found:
            names = ", ".join(f'"{name}"' for name in self.cases)
            raise UserError(f"no cell of {self.name} is chosen; there are: {names}")
        return found

    def draw(self, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Draw the picture, of the mechanism itself: the rows say the rest."""
        self.picture(path)

    def lines(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return no further lines: the rows say all."""
        return []

    def reproduce(self, results: Path, seeds: int | None = None) -> list[Record]:
        """Measure, record the rows in `results/NAME/cells.jsonl`, and return them.

        Raises:
            UserError: if `seeds` is below 1.
        """
        from fastweights.experiments.reproduce import context

        if seeds is not None and seeds < 1:
            raise UserError("seeds must be at least 1")
        start = time.perf_counter()
        measured = self.measure(seeds or self.seeds)
        seconds = time.perf_counter() - start
        rows = [
            {**self._row(name, values, seconds), **context()} for name, values in measured.items()
        ]
        write_rows(results / self.name / "cells.jsonl", rows)
        return rows

    def _row(self, name: str, values: Sequence[float], seconds: float) -> Record:
        case = self.cases[name]
        return {
            "recipe": self.name,
            "cell": name,
            "task": self.title,
            "model": case.model,
            "mode": case.mode,
            "metric": case.metric,
            **statistics_of(values),
            "paper": None,
            "reach": str(case.reach) if case.reach else None,
            "met": case.reach.met(values, [0.0]) if case.reach else None,
            "steps": case.steps,
            "seconds": seconds,
            "backend": "reference",
        }
