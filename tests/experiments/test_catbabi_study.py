"""A small study of catbAbI: cells with a time of their own, cut short, skipped when done, gone on with for longer."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from fastweights.errors import UserError
from fastweights.experiments import report
from fastweights.experiments.catbabi import CatBAbI
from fastweights.experiments.catbabi.study import METRIC, MODELS, ablations, long, table1
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.study import Cell, Study


@pytest.fixture
def recipe(release: Path) -> CatBAbI:
    return CatBAbI(data_dir=release, hidden=8, embedding=6, length=10, batch=2, steps=3)


def study(recipe: CatBAbI, minutes: float | None = None) -> Study:
    """Two models, with a time if `minutes` says one."""
    recipe = dataclasses.replace(
        recipe, minutes=minutes, steps=recipe.steps if minutes is None else None
    )
    fwm = dataclasses.replace(recipe, memory_size=4)
    lstm = dataclasses.replace(recipe, model="lstm", mode="lm")
    cells = (
        Cell("fwm qa", fwm, metric=METRIC, seeds=1, paper=96.75, mode="QA"),
        Cell("lstm lm", lstm, metric=METRIC, seeds=1, mode="LM"),
    )
    return Study("tiny", "a tiny study", cells, modes=True)


def run(tmp_path: Path, wanted: Study, **options) -> tuple[list[str], list[dict]]:
    told: list[str] = []
    ledger = reproduce(
        wanted,
        results=tmp_path / "results",
        runs=tmp_path / "runs",
        listener=lambda p: told.append(f"{p.cell} {p.seed}" + (" cut" if p.entry is None else "")),
        **options,
    )
    return told, list(ledger.rows.values())


def test_rows_skipping_and_more_seeds(recipe, tmp_path):
    told, rows = run(tmp_path, study(recipe), only="fwm*")
    assert told == ["fwm qa 0"]
    told, rows = run(tmp_path, study(recipe))
    assert told == ["lstm lm 0"]
    assert [row["task"] for row in rows] == ["catbAbI, qa", "catbAbI, lm"]
    assert [row["steps"] for row in rows] == [3, 3] and rows[0]["paper"] == 96.75
    results = [
        json.loads(path.read_text()) for path in sorted((tmp_path / "runs").rglob("result.json"))
    ]
    assert [row["value"] for row in rows] == [result[METRIC] for result in results]
    assert run(tmp_path, study(recipe))[0] == []
    told, rows = run(tmp_path, study(recipe), only="lstm lm", seeds=2)
    assert told == ["lstm lm 1"] and [row["seeds"] for row in rows] == [1, 2]
    written = report.write(tmp_path / "results").read_text()
    assert "fwm" in written and "96.75" in written


def test_a_budget_cuts_short_what_the_next_call_goes_on_with(recipe, tmp_path, monkeypatch):
    whole = run(tmp_path / "whole", study(recipe))[1]
    clock = iter(
        [0.0] * 4
    )  # the deadline, and the looks at it before the second step of the first cell
    with monkeypatch.context() as patch:
        patch.setattr("fastweights.experiments.reproduce.time.time", lambda: next(clock, 100.0))
        told, rows = run(tmp_path, study(recipe), budget_minutes=1)
    assert told == ["fwm qa 0 cut"] and rows == []
    told, rows = run(tmp_path, study(recipe))
    assert told == ["fwm qa 0", "lstm lm 0"]
    assert [row["value"] for row in rows] == [row["value"] for row in whole]


def test_more_minutes_go_on_with_the_same_runs(recipe, tmp_path):
    short = study(recipe, minutes=1e-6)
    told, rows = run(tmp_path, short)
    assert told == ["fwm qa 0", "lstm lm 0"] and [row["steps"] for row in rows] == [1, 1]
    assert run(tmp_path, short)[0] == []
    longer = max(row["seconds"] for row in rows) + 0.05  # however long the one step took
    told, rows = run(tmp_path, study(recipe, minutes=longer / 60))
    assert told == ["fwm qa 0", "lstm lm 0"]
    assert all(row["steps"] > 1 and row["seconds"] >= longer - 0.01 for row in rows)
    assert len(list((tmp_path / "runs" / "tiny").iterdir())) == 2
    assert run(tmp_path, short)[0] == []  # a shorter time is done already
    with pytest.raises(UserError, match=r"'fwm qa' is of runs of .* minutes, this one would be"):
        run(tmp_path, short, seeds=2)  # one figure would stand for both times


def test_the_studies_hold_what_the_paper_has():
    cells = table1().cells
    assert len(cells) == len({cell.name for cell in cells}) == 2 * len(MODELS)
    assert len({cell.fingerprint() for cell in (*cells, *long().cells)}) == len(cells) + len(
        long().cells
    )
    published = {cell.name: cell.paper for cell in cells if cell.paper is not None}
    assert published["fwm qa"] == 96.75 and published["fwm lm"] == 93.04
    assert len({cell.fingerprint() for cell in ablations().cells}) == 7
