"""The open questions: every cell can be run, each question has its table and picture, and steps are counted right."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from fastweights import models
from fastweights.errors import UserError
from fastweights.experiments import report, runner
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.retrieval import RETRIEVAL
from fastweights.experiments.retrieval.contrast import contrastive_loss
from fastweights.experiments.retrieval.options import RetrievalOptions
from fastweights.experiments.retrieval.question_page import QUESTIONS, steps_to
from fastweights.experiments.retrieval.questions import questions
from fastweights.runs import Run, load
from fastweights.runs.records import sealed
from fastweights.tasks import Retrieval
from pictures import assert_drawn

STUDY = questions(RETRIEVAL)


def test_every_question_has_cells_and_every_cell_can_be_run() -> None:
    numbers = {cell.name.partition(" ")[0] for cell in STUDY.cells}
    assert numbers == set(QUESTIONS)
    plans = [STUDY.plan(cell) for cell in STUDY.cells]
    assert (
        len({plan.fingerprint() for plan in plans}) >= len(plans) - 4
    )  # the map holds the default
    for cell, plan in zip(STUDY.cells, plans, strict=True):
        assert cell.seeds == 5
        beside = plan.model == "fast-weights-two-paths"
        assert beside == cell.name.startswith(("3 ", "5 "))
        assert beside or (plan.model == "fast-weights-flat") == (" flat" in cell.name)


def test_steps_are_the_first_that_reach() -> None:
    history = [{"step": s, "accuracy": a} for s, a in ((0, 0.1), (5, 0.9), (9, 0.8), (12, 0.999))]
    assert steps_to(history) == {"90": 5, "99": 12, "99.9": 12}
    assert steps_to([]) == {"90": None, "99": None, "99.9": None}


def test_the_contrast_is_of_the_keys_and_the_question() -> None:
    """Every sequence's own keys, told by their letters."""
    batch = Retrieval(4, form="trailing-read").sample(50, torch.Generator().manual_seed(0))
    letters = torch.nn.functional.one_hot(batch.tokens, 37).float()
    assert contrastive_loss(letters, batch.slot) < 1e-3
    others = (batch.slot + 1) % 4
    assert contrastive_loss(letters, others) > 5


@pytest.mark.parametrize("fixed", ["random", "identity"])
def test_what_is_fixed_stays_as_it_begins(fixed, tmp_path) -> None:
    options = RetrievalOptions(
        steps=3, hidden=40, batch=4, test_samples=4, evaluation_interval=1, fixed=fixed
    )
    plan = RETRIEVAL.plan(options)
    torch.manual_seed(0)
    before = models.from_config(plan.model_config())
    plan.prepare(before)
    runner.train(RETRIEVAL, options, tmp_path / "run")
    after = load(tmp_path / "run")
    for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True):
        assert torch.equal(old, new) == name.startswith("backbone"), name
    if fixed == "identity":
        weight = dict(after.named_parameters())["backbone.input.weight"]
        assert torch.equal(weight, torch.eye(40, 37))
    assert "fast_gradient_norm" not in Run.open(tmp_path / "run").metrics()[-1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"contrast": -1.0}, "contrast must not be negative"),
        ({"contrast": float("nan")}, "contrast must be finite"),
        ({"fixed": "identity", "embedding": 5}, "fixed is for fast weights"),
        ({"fixed": "random", "model": "lstm"}, "fixed is for fast weights"),
        ({"fixed": "random", "model": "fast-weights-two-paths"}, "fixed is for fast weights"),
    ],
)
def test_what_cannot_be_is_said(changes, words) -> None:
    with pytest.raises(UserError, match=words):
        RETRIEVAL.plan(RetrievalOptions(**changes))


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
    assert drawn == {"decay-and-rate", *(f"question-{number}" for number in "12345689")}
    for path in folder.glob("*.png"):
        assert_drawn(path)


@pytest.mark.usefixtures("unsynced")
def test_a_run_from_before_a_field_came_goes_on(tmp_path: Path) -> None:
    """Fields that are None or empty where nothing is given: `contrast`, `fixed`, `set`."""
    options = RetrievalOptions(
        steps=3, hidden=4, batch=4, test_samples=4, evaluation_interval=1, query="trailing-read"
    )
    first = runner.train(RETRIEVAL, options, tmp_path / "run")
    config = tmp_path / "run" / "config.json"
    record = json.loads(config.read_text())
    for field in ("contrast", "fixed", "set"):
        del record["plan"][field]
    config.write_text(json.dumps(sealed(record)))
    again = runner.train(RETRIEVAL, options, tmp_path / "run", resume=True)
    assert again.result["test_accuracy"] == first.result["test_accuracy"]
