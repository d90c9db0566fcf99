"""The open questions: every cell can be run, each question has its table and picture, and steps are counted right."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from fastweights.experiments import report
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.retrieval import RETRIEVAL
from fastweights.experiments.retrieval.questions import QUESTIONS, questions, steps_to
from pictures import assert_drawn

STUDY = questions(RETRIEVAL)


def test_every_question_has_cells_and_every_cell_can_be_run() -> None:
    numbers = {cell.name.partition(" ")[0] for cell in STUDY.cells}
    assert numbers | {"3"} == set(QUESTIONS)  # whose numbers are those of 2
    plans = [STUDY.plan(cell) for cell in STUDY.cells]
    assert (
        len({plan.fingerprint() for plan in plans}) >= len(plans) - 4
    )  # the map holds the default
    for cell, plan in zip(STUDY.cells, plans, strict=True):
        assert cell.seeds == 5
        assert (plan.model == "fast-weights-flat") == (" flat" in cell.name)


def test_steps_are_the_first_that_reach() -> None:
    history = [{"step": s, "accuracy": a} for s, a in ((0, 0.1), (5, 0.9), (9, 0.8), (12, 0.999))]
    assert steps_to(history) == {"90": 5, "99": 12, "99.9": 12}
    assert steps_to([]) == {"90": None, "99": None, "99.9": None}


@pytest.mark.usefixtures("unsynced")
def test_the_page_says_and_draws_each_question(tmp_path: Path, monkeypatch) -> None:
    some, counts = [], Counter[tuple[str, bool]]()
    for cell in STUDY.cells:
        counts[kind := (cell.name[0], "λ=" in cell.name)] += 1
        small = dataclasses.replace(
            cell.options, steps=2, hidden=4, batch=4, test_samples=40, evaluation_interval=1
        )
        if counts[kind] <= 3:
            some.append(dataclasses.replace(cell, options=small, seeds=2))
    tiny = dataclasses.replace(STUDY, cells=tuple(some))
    reproduce(tiny, results=tmp_path / "results", runs=tmp_path / "runs")
    monkeypatch.setattr(report.registry, "studies", lambda: {tiny.name: tiny})
    report.write(tmp_path / "results", tiny.name)
    folder = tmp_path / "results" / tiny.name
    page = (folder / "README.md").read_text()
    for number, question in QUESTIONS.items():
        assert f"## {number}. {question}" in page
    drawn = {path.stem for path in folder.glob("*.png")}
    assert drawn == {"question-1", "question-2", "question-8", "question-9", "decay-and-rate"}
    for path in folder.glob("*.png"):
        assert_drawn(path)
