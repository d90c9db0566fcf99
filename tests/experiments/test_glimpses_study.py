"""Table 2: its cells, the paper's numbers, and a tiny study of labelled rows with its picture."""

from __future__ import annotations

from pathlib import Path

from fastweights.experiments import registry, report
from fastweights.experiments.glimpses import GLIMPSES
from fastweights.experiments.glimpses.options import GlimpsesOptions
from fastweights.experiments.glimpses.report import report_answer
from fastweights.experiments.glimpses.study import CHOSEN, GRID
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.study import Cell, Study
from pictures import assert_drawn

TABLE, TUNING = GLIMPSES.work.studies(GLIMPSES)
assert isinstance(TABLE, Study) and isinstance(TUNING, Study)


def test_the_table_holds_what_the_paper_has_and_the_required_cells_come_first():
    cells = TABLE.cells
    assert len({cell.name for cell in cells}) == len({TABLE.fingerprint(c) for c in cells}) == 31
    required = [cell.name for cell in cells[:9]]
    assert required == [
        *("fast-weights F=50 plain", "fast-weights F=50 hierarchical"),
        *("fast-weights, η=0 F=50 plain", "fast-weights, η=0 F=50 hierarchical"),
        *("irnn F=50 plain", "irnn F=50 hierarchical", "lstm F=50 plain", "lstm F=50 hierarchical"),
        "convnet F=50 plain",
    ]
    by_name = {cell.name: cell for cell in cells}
    assert by_name["fast-weights F=50 plain"].paper == 7.21
    assert by_name["lstm F=200 hierarchical"].paper == 1.10
    assert by_name["fast-weights, η=0 F=50 plain"].paper is None
    control = TABLE.plan(by_name["fast-weights, η=0 F=50 plain"])
    assert control.rate == 0 and control.inner_steps == 1
    assert by_name["fast-weights, S=3 F=50 plain"].options.inner_steps == 3
    reached = {cell.name: cell.reach for cell in cells if cell.reach}
    assert {str(reach) for reach in reached.values()} == {
        *("mean ≤ 1.8, ≤ 1200 core s", "mean ≤ 1.3, ≤ 1200 core s", "mean ≤ 1, ≤ 1200 core s")
    }
    assert all(cell.seeds == 3 for cell in cells)


def test_every_row_is_tuned_over_the_same_grid_by_the_validation_split():
    cells = TUNING.cells
    assert {cell.metric for cell in cells} == {"validation_error_percent"}
    tried: dict[tuple[str, str], list[float]] = {}
    for cell in cells:
        plan = TUNING.plan(cell)
        tried.setdefault((cell.label, plan.reading), []).append(plan.learning_rate)
        assert plan.features == 50 and plan.steps == TUNING.plan(cells[0]).steps
    assert len(tried) == 9 and all(rates == list(GRID) for rates in tried.values())
    assert set(CHOSEN) <= set(tried) and set(CHOSEN.values()) <= set(GRID)


def test_rows_of_one_model_are_told_apart(mnist_files: Path, tmp_path: Path, unsynced) -> None:
    tiny = {"data_dir": mnist_files, "features": 4, "glimpse_layer": 4, "steps": 2, "batch": 4}
    cells = (
        Cell("with", GlimpsesOptions(**tiny), seeds=1, mode="R=4, plain", paper=7.21),
        Cell("without", GlimpsesOptions(rate=0.0, **tiny), seeds=1, mode="R=4, plain", label="η=0"),
    )
    study = Study(GLIMPSES, "tiny", "a tiny study", cells, errors=True)
    ledger = reproduce(study, results=tmp_path / "results", runs=tmp_path / "runs")
    assert [row["label"] for row in ledger.rows.values()] == ["fast-weights", "η=0"]
    study.draw(list(ledger.rows.values()), tmp_path / "table.png")
    assert_drawn(tmp_path / "table.png")
    report.write(tmp_path / "results")
    assert "| η=0 | R=4, plain |" in (tmp_path / "results" / "tiny" / "README.md").read_text()
    assert registry.study("ba2016-table2") == TABLE


def test_an_answer_is_shown_glimpse_by_glimpse():
    beliefs = [{"answer": 3, "probability": 0.25}, {"answer": 7, "probability": 0.5}]
    told = {"image": 4, "answer": 7, "truth": 7, "probability": 0.5, "beliefs": beliefs}
    _, steps = report_answer({**told, "attention": [0.75, 0.25]})
    assert steps.rows["glimpse"] == ["1", "2"] and steps.rows["belief"] == ["3", "7"]
