"""A small study of catbAbI: cells with a time of their own, cut short, skipped when done, gone on with for longer."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from fastweights.errors import UserError
from fastweights.experiments import report
from fastweights.experiments.catbabi import CATBABI
from fastweights.experiments.catbabi.options import CatBAbIOptions
from fastweights.experiments.catbabi.study import METRIC, MODELS, ablations, long, table1
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.study import Cell, Study


@pytest.fixture
def options(release: Path) -> CatBAbIOptions:
    return CatBAbIOptions(data_dir=release, hidden=8, embedding=6, length=10, batch=2, steps=3)


def study(options: CatBAbIOptions, minutes: float | None = None) -> Study:
    """Two models, with a time if `minutes` says one."""
    options = dataclasses.replace(
        options, minutes=minutes, steps=options.steps if minutes is None else None
    )
    fwm = dataclasses.replace(options, memory_size=4)
    lstm = dataclasses.replace(options, model="lstm", mode="lm")
    cells = (
        Cell("fwm qa", fwm, metric=METRIC, seeds=1, paper=96.75, mode="QA"),
        Cell("lstm lm", lstm, metric=METRIC, seeds=1, mode="LM"),
    )
    return Study(CATBABI, "tiny", "a tiny study", cells, modes=True)


def run(tmp_path: Path, wanted: Study, **given) -> tuple[list[str], list[dict]]:
    told: list[str] = []
    ledger = reproduce(
        wanted,
        results=tmp_path / "results",
        runs=tmp_path / "runs",
        on_progress=lambda p: told.append(
            f"{p.cell} {p.seed}" + (" cut" if p.entry is None else "")
        ),
        **given,
    )
    return told, list(ledger.rows.values())


def test_rows_skipping_and_more_seeds(options, tmp_path):
    told, rows = run(tmp_path, study(options), only="fwm*")
    assert told == ["fwm qa 0"]
    told, rows = run(tmp_path, study(options))
    assert told == ["lstm lm 0"]
    assert [row["task"] for row in rows] == ["catbAbI, qa", "catbAbI, lm"]
    assert [row["steps"] for row in rows] == [3, 3] and rows[0]["paper"] == 96.75
    results = [
        json.loads(path.read_text()) for path in sorted((tmp_path / "runs").rglob("result.json"))
    ]
    assert [row["value"] for row in rows] == [result[METRIC] for result in results]
    assert run(tmp_path, study(options))[0] == []
    told, rows = run(tmp_path, study(options), only="lstm lm", seeds=2)
    assert told == ["lstm lm 1"] and [row["seeds"] for row in rows] == [1, 2]
    written = report.write(tmp_path / "results").read_text()
    assert "fwm" in written and "96.75" in written


def test_a_budget_cuts_short_what_the_next_call_goes_on_with(options, tmp_path, monkeypatch):
    whole = run(tmp_path / "whole", study(options))[1]
    clock = iter(
        [0.0] * 4
    )  # the deadline, and the looks at it before the second step of the first cell
    with monkeypatch.context() as patch:
        patch.setattr("fastweights.experiments.reproduce.time.time", lambda: next(clock, 100.0))
        told, rows = run(tmp_path, study(options), budget_minutes=1)
    assert told == ["fwm qa 0 cut"] and rows == []
    told, rows = run(tmp_path, study(options))
    assert told == ["fwm qa 0", "lstm lm 0"]
    assert [row["value"] for row in rows] == [row["value"] for row in whole]


def test_more_minutes_go_on_with_the_same_runs(options, tmp_path):
    short = study(options, minutes=1e-6)
    told, rows = run(tmp_path, short)
    assert told == ["fwm qa 0", "lstm lm 0"] and [row["steps"] for row in rows] == [1, 1]
    assert run(tmp_path, short)[0] == []
    longer = max(row["seconds"] for row in rows) + 0.05  # however long the one step took
    told, rows = run(tmp_path, study(options, minutes=longer / 60))
    assert told == ["fwm qa 0", "lstm lm 0"]
    assert all(row["steps"] > 1 and row["seconds"] >= longer - 0.01 for row in rows)
    assert len(list((tmp_path / "runs" / "tiny").iterdir())) == 2
    assert run(tmp_path, short)[0] == []  # a shorter time is done already
    with pytest.raises(UserError, match=r"'fwm qa' is of runs of .* minutes, this one would be"):
        run(tmp_path, short, seeds=2)  # one figure would stand for both times


def test_the_studies_hold_what_the_paper_has():
    table, whole = table1(CATBABI), long(CATBABI)
    cells = table.cells
    assert len(cells) == len({cell.name for cell in cells}) == 2 * len(MODELS)
    prints = {table.fingerprint(cell) for cell in (*cells, *whole.cells)}
    assert len(prints) == len(cells) + len(whole.cells)
    published = {cell.name: cell.paper for cell in cells if cell.paper is not None}
    assert published["fwm qa"] == 96.75 and published["fwm lm"] == 93.04
    changed = ablations(CATBABI)
    assert len({changed.fingerprint(cell) for cell in changed.cells}) == 7
