"""Table 2: its cells, the paper's numbers, and a tiny study of labelled rows with its picture."""

from __future__ import annotations

from pathlib import Path

from fastweights.experiments import report, studies
from fastweights.experiments.glimpses import Glimpses
from fastweights.experiments.glimpses.study import CHOSEN, GRID, table2, tuning
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.study import Cell, Study


def test_the_table_holds_what_the_paper_has_and_the_required_cells_come_first():
    cells = table2().cells
    assert len({cell.name for cell in cells}) == len({c.fingerprint() for c in cells}) == 31
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
    control = by_name["fast-weights, η=0 F=50 plain"].recipe.resolve()
    assert control.rate == 0 and control.inner_steps == 1
    assert by_name["fast-weights, S=3 F=50 plain"].recipe.resolve().inner_steps == 3
    reached = {cell.name: cell.reach for cell in cells if cell.reach}
    assert {str(reach) for reach in reached.values()} == {
        *("mean ≤ 1.8, ≤ 1200 core s", "mean ≤ 1.3, ≤ 1200 core s", "mean ≤ 1, ≤ 1200 core s")
    }
    assert all(cell.seeds == 3 for cell in cells)


def test_every_row_is_tuned_over_the_same_grid_by_the_validation_split():
    cells = tuning().cells
    assert {cell.metric for cell in cells} == {"validation_error_percent"}
    tried: dict[tuple[str, str], list[float]] = {}
    for cell in cells:
        ready = cell.recipe.resolve()
        tried.setdefault((cell.label, ready.reading), []).append(ready.learning_rate)
        assert ready.features == 50 and ready.steps == cells[0].recipe.resolve().steps
    assert len(tried) == 9 and all(rates == list(GRID) for rates in tried.values())
    assert set(CHOSEN) <= set(tried) and set(CHOSEN.values()) <= set(GRID)


def test_rows_of_one_model_are_told_apart(mnist_files: Path, tmp_path: Path, unsynced) -> None:
    tiny = {"data_dir": mnist_files, "features": 4, "glimpse_layer": 4, "steps": 2, "batch": 4}
    cells = (
        Cell("with", Glimpses(**tiny), seeds=1, mode="R=4, plain", paper=7.21),
        Cell("without", Glimpses(rate=0.0, **tiny), seeds=1, mode="R=4, plain", label="η=0"),
    )
    study = Study("tiny", "a tiny study", cells, errors=True)
    ledger = reproduce(study, results=tmp_path / "results", runs=tmp_path / "runs")
    assert [row["label"] for row in ledger.rows.values()] == ["fast-weights", "η=0"]
    study.draw(list(ledger.rows.values()), tmp_path / "table.png")
    assert (tmp_path / "table.png").stat().st_size > 3000
    report.write(tmp_path / "results")
    assert "| η=0 | R=4, plain |" in (tmp_path / "results" / "tiny" / "README.md").read_text()
    assert studies.get("ba2016-table2") is table2()
