"""A demonstration: numbers and a picture that need no training, recorded beside the studies that do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastweights.errors import UserError
from fastweights.experiments.ledger import statistics_of, write_rows
from fastweights.experiments.plan import Record
from fastweights.experiments.study import Reach

Measured = Mapping[str, Sequence[float]]
"""By case: one value for each seed."""


@dataclass(frozen=True)
class Case:
    """One number of a demonstration.

    Attributes:
        model: what is shown.
        mode: under which condition.
        metric: what the number is.
        steps: how many writes, or whatever a step is.
        reach: the bound to meet, if there is one.
    """

    model: str
    mode: str
    metric: str
    steps: int
    reach: Reach | None = None


@dataclass(frozen=True)
class Demonstration:
    """Named cases, a function that measures all of them, and one that draws them.

    Attributes:
        name: of the command and of the folder in `results`.
        title: of the section.
        cases: by the names that `measure` returns.
        measure: from a number of seeds to the values.
        picture: draws into a file.
        notes: sentences that a reader of the table needs.
        seeds: how many seeds are wanted.
    """

    name: str
    title: str
    cases: Mapping[str, Case]
    measure: Callable[[int], Measured]
    picture: Callable[[Path], None]
    notes: tuple[str, ...] = field(default=())
    seeds: int = 10

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether a recorded row is of one of the cases."""
        return row["cell"] in self.cases

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

    def draw(self, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Draw the picture, of the mechanism itself: the rows say the rest."""
        self.picture(path)

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
