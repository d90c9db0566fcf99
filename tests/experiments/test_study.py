"""Studies: rounds of seeds, skipping what is done, budgets, the ledger and its report."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from fastweights.errors import UserError
from fastweights.experiments import registry, report
from fastweights.experiments import reproduce as reproducing
from fastweights.experiments.catbabi import CATBABI
from fastweights.experiments.catbabi.presets import BACKBONES, Backbone
from fastweights.experiments.catch import CATCH
from fastweights.experiments.catch import options as catch
from fastweights.experiments.ledger import recorded
from fastweights.experiments.metro_map import METRO_MAP
from fastweights.experiments.metro_map import options as metro_map
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.retrieval import RETRIEVAL
from fastweights.experiments.retrieval.options import RetrievalOptions
from fastweights.experiments.study import Cell, Reach, Study
from fastweights.experiments.text import TEXT
from fastweights.experiments.text import plan as text
from fastweights.runs.records import sealed


def page(results: Path, study: str) -> str:
    """Return a study's page of the report, written anew."""
    report.write(results)
    return (results / study / "README.md").read_text()


TINY = RetrievalOptions(steps=3, hidden=4, batch=4, test_samples=40)
STUDY = Study(
    RETRIEVAL,
    "tiny",
    "a tiny study",
    (
        Cell(
            "one",
            TINY,
            seeds=2,
            paper=1.5,
            reach=Reach(100.0, "worst"),
            mode="H=4",
            also=("parameters",),
        ),
        Cell("other pairs", TINY, seeds=1, tested_on={"pairs": 6}, reach=Reach(0.0, "median")),
    ),
)


def run(tmp_path: Path, **options) -> tuple[list[str], list[dict]]:
    told: list[str] = []
    ledger = reproduce(
        STUDY,
        results=tmp_path / "results",
        runs=tmp_path / "runs",
        on_progress=lambda progress: told.append(f"{progress.cell} {progress.seed}"),
        **options,
    )
    rows = (
        [json.loads(line) for line in ledger.path.read_text().splitlines()]
        if ledger.path.exists()
        else []
    )
    return told, rows


def test_rounds_rows_and_skipping(tmp_path: Path) -> None:
    told, rows = run(tmp_path)
    assert told == ["one 0", "other pairs 0", "one 1"]
    keys = {"recipe", "task", "model", "mode", "metric", "value", "sd", "seeds"}
    keys |= {"paper", "steps", "seconds", "backend", "machine", "commit"}
    assert all(keys <= set(row) for row in rows)
    first, second = rows
    values = [entry["value"] for entry in first["by_seed"].values()]
    assert first["seeds"] == 2 and first["value"] == pytest.approx(sum(values) / 2)
    assert first["met"] is True and second["met"] is False and second["sd"] is None
    assert run(tmp_path)[0] == []
    assert run(tmp_path, seeds=2)[0] == ["other pairs 1"]
    written = page(tmp_path / "results", "tiny")
    assert "**no**" in written and "1.5" in written
    assert first["also"] == {"parameters": first["also"]["parameters"]} and second["also"] == {}
    assert "| parameters |" in written and f"| {first['also']['parameters']:.3f} |" in written


def test_a_row_names_every_machine_that_its_seeds_come_from(tmp_path, monkeypatch) -> None:
    for seeds, machine in ((1, "old"), (2, "new")):
        origin = {"machine": machine, "commit": "abc"}
        monkeypatch.setattr(reproducing, "context", lambda origin=origin: origin)
        rows = run(tmp_path, seeds=seeds, only="one")[1]
    (row,) = rows
    assert [row["by_seed"][seed]["machine"] for seed in "01"] == ["old", "new"]
    assert (row["machine"], row["commit"]) == ("new; old", "abc")
    for entry in row["by_seed"].values():  # rows of before said it once, for all
        del entry["machine"], entry["commit"]
    path = tmp_path / "results" / "tiny" / "cells.jsonl"
    path.write_text(json.dumps(sealed({**row, "machine": "older"})) + "\n")
    (row,) = run(tmp_path, seeds=3, only="one")[1]
    assert [row["by_seed"][seed]["machine"] for seed in "012"] == ["older", "older", "new"]


def test_budget_of_nothing_starts_nothing(tmp_path: Path) -> None:
    told, rows = run(tmp_path, budget_minutes=1e-9)
    assert told == [] and rows == []


def test_changed_recipe_voids_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path)
    changed = Cell("one", RetrievalOptions(steps=4, hidden=4, batch=4, test_samples=40), seeds=1)
    told: list[str] = []
    ledger = reproduce(
        Study(RETRIEVAL, "tiny", "a tiny study", (changed,)),
        results=tmp_path / "results",
        runs=tmp_path / "runs",
        on_progress=lambda progress: told.append(progress.cell),
    )
    assert told == ["one"]
    assert len(ledger.rows) == 2 and [row["cell"] for row in ledger.current()] == ["one"]


def test_a_changed_network_voids_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options of a backbone that stand in a task's settings, and in no field, decide figures too."""
    tables = {
        table.name: table
        for each in (CATCH, CATBABI, METRO_MAP, TEXT)
        for table in each.work.studies(each)
    }
    names = ("ba2016-catch", "catbabi-table1", "fwm-meta-rl", "fwm-language")
    listed = [(tables[name], cell) for name in names for cell in tables[name].cells]
    cells = [
        (study, cell)
        for study, cell in listed
        if study.name == "fwm-language" or study.plan(cell).model in ("fast-weights", "fwm")
    ]
    before = [study.fingerprint(cell) for study, cell in cells]
    assert before == [study.fingerprint(cell) for study, cell in cells]
    for backbones in (catch.BACKBONES, BACKBONES, metro_map.BACKBONES):
        for name, backbone in backbones.items():
            if isinstance(backbone, Backbone):
                changed = backbone._replace(options={**backbone.options, "gain": 0.7})
            else:
                changed = {**backbone, "gain": 0.7}
            monkeypatch.setitem(backbones, name, changed)
    monkeypatch.setattr(text, "EMBEDDING_RANGE", 0.7)
    assert not set(before) & {study.fingerprint(cell) for study, cell in cells}


def test_the_report_leaves_out_void_rows_and_names_them(tmp_path, monkeypatch) -> None:
    run(tmp_path)
    first, second = STUDY.cells
    other = dataclasses.replace(first, options=dataclasses.replace(TINY, batch=5))
    for cells, left in (
        ((other, second), "one"),
        ((other,), "one, other pairs"),
        (STUDY.cells, ""),
    ):
        now = dataclasses.replace(STUDY, cells=cells)
        monkeypatch.setattr(registry, "studies", lambda now=now: {"tiny": now})
        written = page(tmp_path / "results", "tiny")
        assert (f"made with other settings: {left}.\n" in written) == bool(left)
        assert ("| fast-weights |" in written) == (left != "one, other pairs")


def test_a_budget_of_nothing_leaves_an_empty_report(tmp_path: Path) -> None:
    assert report.write(tmp_path / "new" / "results").read_text().startswith("# Results")


def test_the_rows_of_this_repository_are_whole() -> None:
    results = Path(__file__).parents[2] / "results"
    report.check(results)
    assert len(list(results.glob("*/cells.jsonl"))) > 5
    for path in results.glob("*/cells.jsonl"):
        study = registry.study(path.parent.name)
        assert [row["cell"] for row in recorded(path) if not study.holds(row)] == []


@pytest.mark.parametrize("line", ["{not json", "[1]", '{"cell": "one"}'])
def test_a_damaged_row_is_told_before_anything_is_trained(line: str, tmp_path: Path) -> None:
    damaged = tmp_path / "results" / "other" / "cells.jsonl"
    damaged.parent.mkdir(parents=True)
    damaged.write_text(line + "\n")
    for read in (report.check, report.write):
        with pytest.raises(UserError, match="line 1, is not a row of results"):
            read(tmp_path / "results")
    damaged.parent.rename(tmp_path / "results" / "tiny")
    with pytest.raises(UserError, match="line 1, is not a row of results"):
        run(tmp_path)


def test_a_run_that_diverges_is_an_outcome(tmp_path: Path) -> None:
    wild = RetrievalOptions(
        model="irnn", steps=50, hidden=4, batch=4, learning_rate=1e30, test_samples=40
    )
    study = Study(
        RETRIEVAL,
        "wild",
        "a study that diverges",
        (Cell("wild", wild, seeds=2, reach=Reach(100.0, "median")), Cell("tame", TINY, seeds=1)),
    )
    folders = {"results": tmp_path / "results", "runs": tmp_path / "runs"}
    wild_row, tame_row = reproduce(study, **folders).rows.values()
    assert wild_row["value"] is None and wild_row["met"] is False
    assert wild_row["diverged"] == wild_row["seeds"] == 2
    assert all(1 < entry["diverged_at"] <= 50 for entry in wild_row["by_seed"].values())
    assert tame_row["diverged"] == 0 and tame_row["value"] is not None
    told: list[object] = []
    reproduce(study, **folders, on_progress=told.append)
    assert told == []
    assert "| diverged |" in page(tmp_path / "results", "wild")


@pytest.mark.slow
def test_processes_side_by_side_give_the_same_numbers(tmp_path: Path) -> None:
    _, alone = run(tmp_path / "alone")
    _, together = run(tmp_path / "together", jobs=2)
    assert [row["value"] for row in alone] == [row["value"] for row in together]


@pytest.mark.parametrize(
    ("reach", "values", "seconds", "met"),
    [
        (Reach(1.0, "worst"), [0.5, 1.1], [1, 1], False),
        (Reach(1.0, "median"), [0.5, 0.9, 7.0], [1, 1, 1], True),
        (Reach(1.0, "mean"), [0.5, 0.9, 7.0], [1, 1, 1], False),
        (Reach(1.0, "worst", seconds=10), [0.5], [11], False),
    ],
)
def test_reach(reach: Reach, values: list[float], seconds: list[float], met: bool) -> None:
    assert reach.met(values, seconds) is met


def test_cells_chosen_by_model(tmp_path: Path) -> None:
    assert run(tmp_path, models=["RNN-LN-FW"], only="one", seeds=1)[0] == ["one 0"]
    with pytest.raises(
        UserError, match='no cell of tiny is chosen; there are: "one", "other pairs"'
    ):
        run(tmp_path, models=["lstm"])
    with pytest.raises(UserError, match="end at a step"):
        run(tmp_path, minutes=1.0)


def test_what_a_reach_asks_for() -> None:
    error, accuracy = Reach(1.0, "median"), Reach(96.5, at_least=True, core_seconds=7200)
    assert error.met([0.5, 1.0, 9.0], [1.0] * 3) and not error.met([0.5, 2.0, None], [1.0] * 3)
    assert str(accuracy) == "worst ≥ 96.5, ≤ 7200 core s"
    assert accuracy.met([96.5, 97.0], [3600.0, 3600.0], [2, 1])
    assert not accuracy.met([96.4, 97.0], [1.0, 1.0]) and not accuracy.met([97.0, None], [1.0, 1.0])
    assert not accuracy.met([97.0], [3601.0], [2])
