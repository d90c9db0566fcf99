"""The check of the solver against a release counts what is right, and fails where something is not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from babi_made import make_release

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def all_right(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    sys.modules.pop("babi_solver", None)
    from babi_solver import all_right

    return all_right


def test_answers_a_release_and_reports_each_file(tmp_path, capsys, all_right):
    tasks = [
        task for task in range(1, 21) if task != 5
    ]  # whose answers made without care are ambiguous
    release = make_release(tmp_path, 4, tasks=tasks)
    assert all_right(["--data", str(release), "--tasks", *map(str, tasks), "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["task"], row["split"]) for row in rows] == [
        (task, split) for task in tasks for split in ("train", "valid", "test")
    ]
    assert all(row["right"] == row["questions"] > 0 for row in rows)
    assert all(row["stories"] and "commit" in row and "machine" in row for row in rows)


def test_a_wrong_answer_is_counted(tmp_path, capsys, all_right):
    file = make_release(tmp_path, 4, tasks=[15]) / "en-valid-10k" / "qa15_test.txt"
    lines = file.read_text().splitlines()
    lines[2] = lines[2].partition("\t")[0] + "\tfrog\t2 1"
    file.write_text("\n".join(lines))
    assert not all_right(["--data", str(tmp_path), "--tasks", "15", "--splits", "test"])
    assert "task 15, test: 1 of 2 right, 1 with" in capsys.readouterr().out
