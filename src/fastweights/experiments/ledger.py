"""The ledger of a study: `results/STUDY/cells.jsonl`, one JSON row a cell, each with its seeds' values."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

from fastweights.errors import UserError
from fastweights.experiments.plan import Record, wants_more
from fastweights.experiments.records import Figure
from fastweights.experiments.study import Cell, Study
from fastweights.io.atomic import clear_temporaries, oserror_as_user_error, write_atomically
from fastweights.io.encode import to_json
from fastweights.io.plain import check_own_folder, read_plain
from fastweights.io.typed import Count, Size, check


class Ledger:
    """The recorded rows of a study: `results/STUDY/cells.jsonl`, one JSON object per cell.

    A row keeps each seed's value, so that later calls add seeds without the run folders of the earlier ones.
    """

    def __init__(self, folder: Path, study: Study) -> None:
        self.path = folder / study.name / "cells.jsonl"
        self.study = study
        self.rows = self._read()

    def done(self, cell: Cell) -> dict[int, Record]:
        """Return what is recorded for a cell, by seed; nothing if its settings have changed since."""
        row = self.rows.get(cell.name)
        if row is None or row["fingerprint"] != self.study.fingerprint(cell):
            return {}
        plan = self.study.plan(cell)
        return {
            int(seed): {**{name: row[name] for name in ORIGIN if name in row}, **entry}
            for seed, entry in row["by_seed"].items()
            if not wants_more(entry, plan)
        }

    def current(self) -> list[Record]:
        """Return the rows of the study as it is now, in its order; void ones are not among them."""
        return [row for row in self.rows.values() if self.study.holds(row)]

    def add(self, cell: Cell, seed: int, entry: Record, backend: str) -> None:
        """Record one seed's outcome, which says where it comes from, and write the file anew, atomically.

        Several processes may work on a study: each reads what the others have written before it adds its own.
        """
        with oserror_as_user_error("write", self.path.parent):
            check_own_folder(self.path.parent).mkdir(parents=True, exist_ok=True)
        with _lock(self.path.with_name(".lock")):
            clear_temporaries(self.path.parent)
            self.rows = self._read()
            by_seed = {**self.done(cell), seed: entry}
            self.rows[cell.name] = _row(self.study, cell, by_seed, backend)
            order = {known.name: place for place, known in enumerate(self.study.cells)}
            rows = sorted(self.rows.values(), key=lambda row: order.get(row["cell"], len(order)))
            write_rows(self.path, rows)

    def refresh(self) -> None:
        """Read what other processes have written since."""
        self.rows = self._read()

    def _read(self) -> dict[str, Record]:
        rows = recorded(self.path, KEYS | DECIDED) if self.path.exists() else []
        return {row["cell"]: row for row in rows}


class Seed(TypedDict, total=False):
    """A seed of a row."""

    value: Figure
    seconds: float
    steps: Count
    limit_seconds: float | None
    threads: Size
    also: dict[str, Figure]
    kept: dict[str, Any]
    curve: list[dict[str, Any]]
    machine: str
    commit: str | None


class Row(TypedDict, total=False):
    """A recorded row, each name with its type."""

    recipe: str
    cell: str
    task: str
    model: str
    label: str
    mode: str
    metric: str
    value: Figure
    sd: Figure
    median: Figure
    seeds: Size
    diverged: Count
    paper: float | None
    reach: str | None
    met: bool | None
    steps: Count
    seconds: float
    hidden: Size
    also: dict[str, Figure]
    backend: str
    machine: str
    commit: str | None
    fingerprint: str
    by_seed: dict[str, Seed]


KEYS = {
    *("cell", "model", "mode", "metric", "value", "sd", "median", "seeds", "paper", "reach", "met"),
    *("steps", "seconds", "backend", "machine"),
}
"""What every recorded row says."""

ORIGIN = ("machine", "commit")
"""Where a seed's figures come from; a row names all that its seeds name."""

DECIDED = {"fingerprint", "by_seed"}
"""Further fields of a study's row, from which it is known what is left to run."""


def recorded(path: Path, keys: Set[str] = KEYS) -> list[Record]:
    """Read recorded rows, each with these keys at least.

    A row is held against its check; one that was recorded without, against its seeds' values.

    Raises:
        UserError: naming the first line that is none, or was changed.
    """
    from fastweights.runs.records import Changed, Recorded, parse, unsealed

    rows = []
    with oserror_as_user_error("read", path):
        lines = read_plain(path, None, links=True).splitlines()
    for number, line in enumerate(lines, start=1):
        row = parse(line)
        if row is None or not row.keys() >= keys:
            raise UserError(f"{path}, line {number}, is not a row of results")
        try:
            read = Recorded(unsealed(row), path)
        except Changed as change:
            raise UserError(f"{path}, line {number}, was changed: {change}") from None
        check(f"{path}, line {number},", read, Row)
        for name in _wrong(read):
            raise UserError(
                f"{path}, line {number}, was changed: its {name} is not that of its seeds"
            )
        rows.append(read)
    return rows


def _wrong(row: Record) -> list[str]:
    """List the figures of a row that do not follow from its seeds' own, for a row that has these."""
    entries = row.get("by_seed")
    if entries is None:
        return []
    try:
        values = [entries[seed]["value"] for seed in sorted(entries, key=int)]
        seconds = statistics.fmean(entries[seed]["seconds"] for seed in entries)
        made = {**statistics_of(values), "seconds": seconds}
    except (AttributeError, KeyError, TypeError, ValueError, statistics.StatisticsError):
        return ["by_seed"]
    return [name for name, value in made.items() if row[name] != value]


def write_rows(path: Path, rows: Sequence[Record]) -> None:
    """Write recorded rows into a file, atomically, each with its check; its folder is made."""
    from fastweights.runs.records import sealed

    with oserror_as_user_error("make", path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, b"".join(to_json(sealed(row)) for row in rows))


def statistics_of(values: Sequence[float | None]) -> Record:
    """Return the statistics of seeds' values, None where training diverged.

    Example:
        >>> statistics_of([1.0, 3.0, None])
        {'value': 2.0, 'sd': 1.4142135623730951, 'median': 2.0, 'seeds': 3}
    """
    known = [value for value in values if value is not None]
    return {
        "value": _mean(known),
        "sd": statistics.stdev(known) if len(known) > 1 else None,
        "median": statistics.median(known) if known else None,
        "seeds": len(values),
    }


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


def _row(study: Study, cell: Cell, by_seed: dict[int, Record], backend: str) -> Record:
    plan = study.plan(cell)
    values = [by_seed[seed]["value"] for seed in sorted(by_seed)]
    seconds = [by_seed[seed]["seconds"] for seed in sorted(by_seed)]
    threads = [by_seed[seed].get("threads", 1) for seed in sorted(by_seed)]
    steps = [entry["steps"] for entry in by_seed.values() if "steps" in entry]
    return {
        "recipe": study.name,
        "cell": cell.name,
        "task": plan.title,
        "model": plan.model,
        "label": cell.label or plan.model,
        "mode": cell.mode,
        "metric": cell.metric,
        **statistics_of(values),
        "diverged": values.count(None),
        "paper": cell.paper,
        "reach": str(cell.reach) if cell.reach else None,
        "met": cell.reach.met(values, seconds, threads) if cell.reach else None,
        "steps": max(steps) if steps else plan.engine_settings().steps,
        "seconds": statistics.fmean(seconds),
        "hidden": plan.network()["hidden"],
        "also": {
            name: _mean([entry.get("also", {}).get(name) for entry in by_seed.values()])
            for name in cell.also
        }
        | dict(cell.besides),
        "backend": backend,
        **{
            name: "; ".join(sorted({entry[name] for entry in by_seed.values() if entry.get(name)}))
            for name in ORIGIN
        },
        "fingerprint": study.fingerprint(cell),
        "by_seed": {str(seed): by_seed[seed] for seed in sorted(by_seed)},
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
