"""A user's results beside those recorded in `results/` and the paper's: in a table, and as a check of one cell."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fastweights.errors import UserError, check_choice
from fastweights.experiments.demonstration import Demonstration
from fastweights.experiments.ledger import recorded, statistics_of
from fastweights.experiments.report import paper_text, value_text
from fastweights.experiments.study import Study
from fastweights.experiments.terminal import TextTable

Row = Mapping[str, Any]

SPREAD = 3.0
"""Standard deviations of the recorded seeds within which a run on another machine agrees."""

SINGLE = 0.05
"""Share of the recorded value within which it does where one seed is recorded alone."""


def recorded_rows(folder: Path, name: str) -> dict[str, Row]:
    """Return the recorded rows of a study by cell; none where the folder has none.

    Raises:
        UserError: if a recorded line is damaged.
    """
    path = folder / name / "cells.jsonl"
    return {row["cell"]: row for row in recorded(path)} if path.exists() else {}


def comparison(title: str, yours: Sequence[Row], theirs: Mapping[str, Row], note: str) -> TextTable:
    """Return a table of the rows of a user beside those recorded and the paper's."""
    columns = ("cell", "metric", "yours", "recorded", "paper")
    cells = [
        (
            row["cell"],
            row["metric"].replace("_", " "),
            value_text(row),
            value_text(theirs[row["cell"]]) if row["cell"] in theirs else "",
            paper_text(row),
        )
        for row in yours
    ]
    return TextTable(title, columns, cells, note)


class Listed(NamedTuple):
    """A cell's name, its metric, and the paper's number if there is one."""

    name: str
    metric: str
    paper: float | None


def listed(study: Study | Demonstration, only: str, *of: Sequence[str]) -> list[Listed]:
    """Return the cells of a study that are chosen by name, and `of` its models and modes.

    Raises:
        UserError: if there is none.
    """
    from fastweights.experiments.reproduce import chosen_cells

    if isinstance(study, Study):
        return [
            Listed(each.name, each.metric, each.paper) for each in chosen_cells(study, only, *of)
        ]
    return [Listed(name, case.metric, None) for name, case in study.chosen(only).items()]


def cell_list(title: str, cells: Sequence[Listed], theirs: Mapping[str, Row]) -> TextTable:
    """Return a table of a study's cells, with what is recorded of them and what the paper says, where it does."""
    columns = {
        "cell": [cell.name for cell in cells],
        "metric": [cell.metric.replace("_", " ") for cell in cells],
        "recorded": [value_text(theirs[name]) if name in theirs else "" for name, *_ in cells],
        "paper": ["" if cell.paper is None else f"{cell.paper:g}" for cell in cells],
    }
    metric, *others = dict.fromkeys(columns["metric"])
    if not others:
        title = f"{title}, {metric}"
        del columns["metric"]
    if not any(columns["paper"]):
        del columns["paper"]
    return TextTable(title, tuple(columns), [*zip(*columns.values(), strict=True)])


class Checked(NamedTuple):
    """A cell that was run again, with its first recorded seed; None: with all, where nothing is trained."""

    cell: str
    seed: int | None
    value: float | None
    recorded: float | None
    agrees: bool
    reason: str


def check(study: Study | Demonstration, name: str, theirs: Mapping[str, Row]) -> Checked:
    """Run a cell again, with the first of its recorded seeds, and compare it with what is recorded.

    A demonstration trains nothing: all seeds are measured again, and their means compared.

    Raises:
        UserError: if there is no such cell, or nothing that holds for it as it is now is recorded.
    """
    from fastweights.experiments.reproduce import run_again

    names = [cell.name for cell in listed(study, "*")]
    check_choice(f"cell of {study.name}", name, names)
    row = theirs.get(name)
    if row is None or not study.holds(row):
        raise UserError(f"nothing is recorded for the cell {name!r} of {study.name} as it is now")
    if isinstance(study, Demonstration):
        values = study.measure(row["seeds"])[name]
        value = statistics_of(values)["value"]
        return Checked(name, None, value, row["value"], *agreement(value, row["value"], row))
    (cell,) = (each for each in study.cells if each.name == name)
    seed = min(int(each) for each in row["by_seed"])
    was = row["by_seed"][str(seed)]["value"]
    with tempfile.TemporaryDirectory() as folder:
        value = run_again(study, cell, seed, Path(folder))
    return Checked(name, seed, value, was, *agreement(value, was, row))


def agreement(value: float | None, was: float | None, row: Row) -> tuple[bool, str]:
    """Return whether a seed's value agrees with what is recorded of it and of its row, and how.

    Example:
        >>> agreement(1.5, 1.5, {"value": 2.0, "sd": 0.5})
        (True, 'equal')
        >>> agreement(9.0, 1.5, {"value": 2.0, "sd": 0.5})
        (False, 'outside 2 ± 1.5 (3 sd of the recorded seeds)')
    """
    if value is None or was is None:
        return (value is was, "both diverged" if value is was else "one of them diverged")
    if math.isclose(value, was, rel_tol=1e-9, abs_tol=1e-12):
        return True, "equal"
    centre, width = row["value"], SPREAD * (row["sd"] or 0.0)
    if not width:
        centre, width = was, SINGLE * abs(was)
    agrees = abs(value - centre) <= width
    reach = f"{SPREAD:g} sd of the recorded seeds" if row["sd"] else f"{100 * SINGLE:g} %"
    return agrees, f"{'within' if agrees else 'outside'} {centre:.4g} ± {width:.3g} ({reach})"
