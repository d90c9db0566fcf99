"""The study of words: its cells, and stages of one run."""

from __future__ import annotations

import pytest

from fastweights.experiments import registry
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.study import Cell, Study
from fastweights.experiments.text import TEXT, paper
from fastweights.experiments.text.options import TextOptions
from fastweights.experiments.text.study import STAGES
from fastweights.experiments.text.testing import _vertex
from fastweights.runs import Run

pytestmark = pytest.mark.usefixtures("unsynced")

TINY = {"model": "awd-lstm", "embedding": 6, "hidden": 8, "batch": 4, "length": 20}
CONSTANT = {"learning_rate": 0.02, "schedule": "constant"}


def test_the_study_begins_with_small_runs_and_its_stages_share_a_run():
    study = registry.study("fwm-language")
    assert isinstance(study, Study)
    names = [cell.name for cell in study.cells]
    assert (
        len({*names}) == len({study.fingerprint(cell) for cell in study.cells}) == len(names) == 15
    )
    assert all(name.endswith("small") for name in names[:6])
    assert all(cell.seeds == 3 and cell.metric == "test_perplexity" for cell in study.cells[:6])
    stages = study.cells[6:11]
    assert [cell.options.epochs for cell in stages] == list(STAGES)
    assert len({study.folder_name(cell) for cell in stages}) == 1
    assert stages[0].reach is not None and stages[0].reach.limit == pytest.approx(
        1.03 * 312.6, abs=0.1
    )
    full = {cell.name: cell for cell in study.cells[11:]}
    assert study.folder_name(full["awd-fwm ptb paper"]) == study.folder_name(stages[0])
    assert full["awd-fwm ptb paper"].paper == 54.48
    assert len({study.folder_name(cell) for cell in study.cells}) == 10


def test_the_next_temperature_is_where_a_parabola_is_lowest():
    assert _vertex([(0.0, 1.0), (3.0, 4.0), (4.0, 9.0)]) == 1.0  # (x - 1)²
    assert _vertex([(0.0, 1.0), (3.0, 4.0)]) == _vertex([(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]) == 0.0


def test_the_authors_logs_are_these():
    assert list(paper.LOG["ptb"].values()) == [312.6, 149.7, 119.9, 76.8, 69.8, 62.5, 58.8]
    assert list(paper.LOG["wikitext-2"].values()) == [430.0, 278.6, 187.6, 91.7, 80.4]


def test_stages_of_a_run_are_reproduced_in_turn(text_files, tmp_path):
    cells = tuple(
        Cell(
            f"after {epochs}",
            TextOptions(data=text_files, epochs=epochs, **TINY, **CONSTANT),
            metric=f"validation_perplexity_{epochs}",
            also=("epochs",),
            seeds=1,
            stage_of="one run",
        )
        for epochs in (1, 5)
    )
    study = Study(TEXT, "tiny", "a tiny study", cells)
    # As if the later stage had been asked for first.
    for only in ("after 5", "*"):
        ledger = reproduce(study, results=tmp_path / "results", runs=tmp_path / "runs", only=only)
    (folder,) = (tmp_path / "runs" / "tiny").iterdir()
    rows = {row["step"]: row for row in Run.open(folder / "seed-0").metrics()}
    ends = TEXT.plan(cells[1].options).ends()
    assert {name: row["value"] for name, row in ledger.rows.items()} == {
        f"after {epoch}": rows[ends[epoch - 1]]["validation_perplexity"] for epoch in (1, 5)
    }
    assert len(rows) == 6
