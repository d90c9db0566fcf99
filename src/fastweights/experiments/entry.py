"""Entries of a ledger: what is recorded of one seed of a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastweights.experiments.plan import Plan, Record, backend_of
from fastweights.experiments.study import Cell

POINTS = 40
"""Rows of a curve that are recorded, at most."""
DIGITS = 5
"""Digits behind the point of a number in them."""


def entry_of(cell: Cell, folder: Path, result: Record, tested: Mapping[str, Any]) -> Record:
    """Return what there is to record of a finished run.

    Args:
        cell: of which it is.
        folder: its.
        result: of the run.
        tested: of the test that the metric is taken from, which may be another.

    Raises:
        UserError: if the metric was not measured.
    """
    kept = {name: tested.get(name, result.get(name)) for name in cell.keeps}
    curve = curve_of(_metrics(folder), cell.curve) if cell.curve else []
    return {
        "value": cell.value(tested, folder),
        "seconds": round(result["train_seconds"], 2),
        "steps": result["steps"],
        "limit_seconds": result["limit_seconds"],
        "threads": result["threads"],
        "backend": result["backend"],
        "also": {name: tested.get(name, result.get(name)) for name in cell.also},
        **({"kept": kept} if kept else {}),
        **({"curve": curve} if curve else {}),
    }


def diverged(plan: Plan, folder: Path, step: int) -> Record:
    """Return what there is to record of a run without a result, an outcome that no repetition changes."""
    from fastweights import models

    rows = _metrics(folder)
    return {
        "value": None,
        "diverged_at": step,
        "seconds": round(rows[-1]["seconds"], 2) if rows else 0.0,
        "backend": backend_of(models.from_config(plan.model_config())),
    }


def curve_of(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[Record]:
    """Return these keys of the rows that have them all, with step and seconds; of many rows some, the last among them.

    Example:
        >>> rows = [{"step": step, "seconds": 0.1, "accuracy": 1 / 3} for step in range(100)]
        >>> curve = curve_of([{"step": 0, "seconds": 0.0}, *rows], ("accuracy",))
        >>> len(curve), curve[1]["step"], curve[-1]
        (26, 4, {'step': 99, 'seconds': 0.1, 'accuracy': 0.33333})
    """
    found = [row for row in rows if all(key in row for key in keys)]
    every = 1
    while len(found) > POINTS * every:
        every *= 2  # so that seeds of more rows and of fewer keep steps that they share
    chosen = [*found[:-1:every], *found[-1:]]
    return [{key: _short(row[key]) for key in ("step", "seconds", *keys)} for row in chosen]


def _short(value: object) -> object:
    if isinstance(value, list):
        return [_short(each) for each in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def _metrics(folder: Path) -> list[Record]:
    from fastweights.runs import Run

    return Run.open(folder).metrics()
