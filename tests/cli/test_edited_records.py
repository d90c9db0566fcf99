"""Records without a check, edited to what was never written: every command that reads them refuses in one line."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from babi_runs import refused

from fastweights.cli import main
from fastweights.errors import UserError
from fastweights.experiments import registry
from fastweights.experiments.ledger import recorded
from fastweights.experiments.records import Result, Row, metrics_of, result_of
from fastweights.runs import Run

pytestmark = pytest.mark.usefixtures("unsynced")

SMALL = ("--hidden", "4", "--steps", "2", "--batch", "2")
TASKS = {
    "retrieval": (*SMALL, "--backend", "reference", "--test-samples", "20", "--evaluation-interval", "1"),
    "catch": ("--model", "irnn", "--size", "4", "--visible", "2", "--hidden", "4", "--agents", "2", "--updates", "2",
              "--evaluation-interval", "1", "--evaluation-episodes", "2", "--test-episodes", "2"),
    "glimpses": ("--model", "irnn", "--features", "4", "--glimpse-layer", "4", "--steps", "2", "--batch", "2"),
    "catbabi": ("--model", "lstm", *SMALL, "--embedding", "4", "--length", "10"),
    "text": ("--model", "awd-lstm", "--embedding", "4", "--hidden", "4", "--batch", "4", "--epochs", "1"),
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory, release, mnist_files, text_files) -> Callable[[str], Path]:
    """Train a task's run when it is first asked for; its records have no check, as those of older versions."""
    folder = tmp_path_factory.mktemp("runs")
    data = {"catbabi": ("--data-dir", release), "glimpses": ("--data-dir", mnist_files)}
    data["text"] = ("--data", *text_files)

    def run(task: str) -> Path:
        place = folder / task
        if not place.exists():
            words = ("train", task, *data.get(task, ()), *TASKS[task], "--out", place)
            assert main([str(word) for word in words]) == 0
            for name in ("config.json", "metrics.jsonl", "result.json"):
                path = place / name
                path.write_text(re.sub(r',\s*"check": "\w+"', "", path.read_text()))
        return place

    return run


def edited(run: Path, tmp_path: Path, name: str, place: tuple[str | int, ...], value: Any) -> Path:
    """Copy a run and put a value into one of its records; Ellipsis takes the name away."""
    folder = shutil.copytree(run, tmp_path / "run", dirs_exist_ok=True)
    path, lines = folder / name, name == "metrics.jsonl"
    text = path.read_text()
    record = [json.loads(line) for line in text.splitlines()] if lines else json.loads(text)
    inner = record
    for part in place[:-1]:
        inner = inner[part]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    path.write_text(
        "\n".join([json.dumps(each) for each in (record if lines else [record])]) + "\n"
    )
    return folder


def wrong(value: Any) -> Any:
    """Return what no record has in a value's place."""
    return {"x": 1} if not isinstance(value, dict) else -1


@pytest.mark.parametrize("task", TASKS)
def test_everything_recorded_is_declared_and_held_to_its_type(task, runs):
    run = Run.open(runs(task))
    experiment = registry.of_run(run.folder)
    rows, result = run.metrics(), run.result()
    assert result is not None
    assert set().union(*rows) <= set(Row.__annotations__)
    assert set(result) <= set(Result.__annotations__)
    for name, value in run.config["plan"].items():
        other = Run(run.folder, copy.deepcopy(run.config))
        other.config["plan"][name] = wrong(value)
        with pytest.raises(UserError, match=f"config.json was changed: its {name} is"):
            experiment.check_record(other)
    for read, record in ((metrics_of, rows[0]), (result_of, result)):
        for name, value in record.items():
            broken = _Saying({**record, name: wrong(value)}, run.folder)
            with pytest.raises(UserError, match=f"was changed: its {name} is"):
                read(broken)


class _Saying(Run):
    """A run whose records say one thing."""

    def __init__(self, record: dict[str, Any], folder: Path) -> None:
        super().__init__(folder, {})
        self.record = record

    def metrics(self) -> list[dict[str, Any]]:
        return [self.record]

    def result(self) -> dict[str, Any] | None:
        return self.record


CASES = [
    ("retrieval", "result.json", ("per_slot_accuracy",), -1, "plot"),
    ("retrieval", "result.json", ("per_slot_accuracy",), -1, "resume"),
    ("retrieval", "result.json", ("per_slot_accuracy",), ..., "plot"),
    ("retrieval", "result.json", ("steps",), [], "resume"),
    ("retrieval", "metrics.jsonl", (1, "accuracy"), "x", "plot"),
    ("retrieval", "metrics.jsonl", (1, "step"), None, "plot"),
    ("retrieval", "config.json", ("plan", "model"), None, "resume"),
    ("retrieval", "config.json", ("plan", "steps"), {}, "resume"),
    ("retrieval", "config.json", ("task", "options", "pairs"), "4", "test"),
    ("retrieval", "config.json", ("task", "options", "pairs"), 1.5, "plot"),
    ("retrieval", "config.json", ("model", "options", "decay"), [], "test"),
    ("retrieval", "config.json", ("model", "hidden"), {}, "test"),
    ("catch", "config.json", ("plan", "updates"), {}, "resume"),
    ("catch", "metrics.jsonl", (0, "reward"), [1], "plot"),
    ("catbabi", "result.json", ("per_task_accuracy",), ..., "resume"),
    ("catbabi", "config.json", ("task", "vocabulary"), 1, "test"),
    ("text", "config.json", ("task", "tokenizer", "vocabulary"), 7, "generate"),
    ("text", "config.json", ("task", "tokenizer", "vocabulary"), 7, "plot"),
    ("text", "config.json", ("plan", "batch"), 0, "plot"),
    ("text", "config.json", ("task", "counts", "train"), [], "plot"),
]


@pytest.mark.parametrize(("task", "name", "place", "value", "verb"), CASES)
def test_an_edited_record_is_one_line(task, name, place, value, verb, runs, tmp_path, capsys):
    run = edited(runs(task), tmp_path, name, place, value)
    words = {"resume": ("train", task, "--resume", "--out", run)}
    words["generate"] = ("generate", run, "the dog")
    words["test"] = ("test", run, "c9k8j3f1??c") if task == "retrieval" else ("test", run)
    told = refused(capsys, *words.get(verb, (verb, run)))
    assert f"{name}" in told


@pytest.fixture(scope="module")
def rows() -> Iterator[dict[str, Any]]:
    path = Path(__file__).parents[2] / "results/retrieval/cells.jsonl"
    yield {name: value for name, value in recorded(path)[0].items() if name != "check"}


def test_an_edited_row_of_results_is_told(rows, tmp_path):
    path = tmp_path / "cells.jsonl"
    path.write_text(json.dumps(rows))
    assert recorded(path) == [rows]
    for name, value in rows.items():
        path.write_text(json.dumps({**rows, name: wrong(value)}))
        with pytest.raises(UserError, match="line 1, was changed: its "):
            recorded(path)
