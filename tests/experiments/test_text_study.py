"""The study of words: its cells, and stages of one run."""

from __future__ import annotations

import pytest

from fastweights.experiments import studies
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.study import Cell, Study
from fastweights.experiments.text import Text
from fastweights.experiments.text.study import STAGES, language
from fastweights.runs import Run

pytestmark = pytest.mark.usefixtures("unsynced")

TINY = {"model": "awd-lstm", "embedding": 6, "hidden": 8, "batch": 4, "length": 20}
CONSTANT = {"learning_rate": 0.02, "schedule": "constant"}


def test_the_study_begins_with_small_runs_and_its_stages_share_a_run():
    study = studies.get("fwm-language")
    assert study is language()
    names = [cell.name for cell in study.cells]
    assert len({*names}) == len({cell.fingerprint() for cell in study.cells}) == len(names) == 13
    assert all(name.endswith("small") for name in names[:4])
    assert all(cell.seeds == 3 and cell.metric == "test_perplexity" for cell in study.cells[:4])
    stages = study.cells[4:9]
    assert [cell.recipe.epochs for cell in stages] == list(STAGES)
    assert len({cell.folder_name() for cell in stages}) == 1
    assert stages[0].reach is not None and stages[0].reach.limit == pytest.approx(
        1.03 * 312.6, abs=0.1
    )
    full = {cell.name: cell for cell in study.cells[9:]}
    assert full["awd-fwm ptb paper"].folder_name() == stages[0].folder_name()
    assert full["awd-fwm ptb paper"].paper == 54.48
    assert len({cell.folder_name() for cell in study.cells}) == 8


def test_stages_of_a_run_are_reproduced_in_turn(text_files, tmp_path):
    cells = tuple(
        Cell(
            f"after {epochs}",
            Text(text_files, epochs=epochs, **TINY, **CONSTANT),
            metric=f"validation_perplexity_{epochs}",
            also=("epochs",),
            seeds=1,
            stage_of="one run",
        )
        for epochs in (1, 5)
    )
    study = Study("tiny", "a tiny study", cells)
    # As if the later stage had been asked for first.
    for only in ("after 5", "*"):
        ledger = reproduce(study, results=tmp_path / "results", runs=tmp_path / "runs", only=only)
    (folder,) = (tmp_path / "runs" / "tiny").iterdir()
    rows = {row["step"]: row for row in Run.open(folder / "seed-0").metrics()}
    ends = cells[1].recipe.resolve().ends()
    assert {name: row["value"] for name, row in ledger.rows.items()} == {
        f"after {epoch}": rows[ends[epoch - 1]]["validation_perplexity"] for epoch in (1, 5)
    }
    assert len(rows) == 6
