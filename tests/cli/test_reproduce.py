"""`reproduce` beside recorded rows: they are shown, never written, and a cell can be checked against them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fastweights.cli import main
from fastweights.experiments import registry
from fastweights.experiments.catbabi import CATBABI
from fastweights.experiments.catbabi.options import CatBAbIOptions
from fastweights.experiments.comparison import SINGLE, SPREAD, agreement
from fastweights.experiments.retrieval import RETRIEVAL
from fastweights.experiments.retrieval.options import RetrievalOptions
from fastweights.experiments.study import Cell, Study
from fastweights.runs.records import sealed

TINY = RetrievalOptions(steps=2, hidden=4, batch=4, test_samples=40)
STUDY = Study(
    RETRIEVAL,
    "tiny",
    "a tiny study",
    (Cell("one", TINY, seeds=1, paper=1.5), Cell("two", TINY, seeds=1, also=("parameters",))),
)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Path:
    """A folder with recorded rows of both cells, as a clone has them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "studies", lambda: {"tiny": STUDY})
    assert main(["reproduce", "tiny", "--results", "results"]) == 0
    capsys.readouterr()
    return tmp_path


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("own_cache")
def test_the_data_is_where_it_is_said(release, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTWEIGHTS_DATA", "elsewhere")
    small = {"steps": 1, "hidden": 4, "memory_size": 2, "batch": 2, "length": 5, "tasks": (1,)}
    options = CatBAbIOptions(stories="release", **small)
    cells = (Cell("one", options, metric="test_accuracy_percent", seeds=1),)
    monkeypatch.setattr(
        registry, "studies", lambda: {"tiny": Study(CATBABI, "tiny", "a tiny study", cells)}
    )
    assert main(["reproduce", "tiny"]) == 2
    assert "in elsewhere" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
    assert main(["reproduce", "tiny", "--data-dir", str(release)]) == 0


@pytest.mark.usefixtures("unsynced")
def test_own_rows_stand_beside_the_recorded_ones(clone: Path, capsys) -> None:
    before = contents(clone / "results")
    assert main(["reproduce", "tiny", "--only", "one", "--runs", "mine"]) == 0
    out = capsys.readouterr().out
    heading = next(line for line in out.splitlines() if "yours" in line)
    assert heading.split() == ["cell", "metric", "yours", "recorded", "paper"]
    (row,) = [line for line in out.splitlines() if line.strip().startswith("one")]
    assert row.count("(one seed)") == 2 and row.split()[-1] == "1.5" and "two" not in out
    assert contents(clone / "results") == before
    assert [path.name for path in (clone / "mine").iterdir()] == ["tiny"], "it ran, though recorded"
    rows = (clone / "my-results" / "tiny" / "cells.jsonl").read_text().splitlines()
    assert [json.loads(row)["cell"] for row in rows] == ["one"]


@pytest.mark.usefixtures("unsynced")
def test_cells_are_listed_and_checked(clone: Path, capsys) -> None:
    before = contents(clone)
    assert main(["reproduce", "tiny", "--list"]) == 0
    heading, _, columns, _, *named = capsys.readouterr().out.splitlines()
    assert heading.rstrip() == "a tiny study, test error percent"  # of all cells
    assert columns.split() == ["cell", "recorded", "paper"]
    assert [line.split()[0] for line in named[:2]] == ["one", "two"]
    assert main(["reproduce", "tiny", "--check", "two"]) == 0
    assert "agrees, equal" in capsys.readouterr().out
    assert contents(clone) == before, "a check leaves nothing"
    ledger = clone / "results" / "tiny" / "cells.jsonl"
    rows = [json.loads(line) for line in ledger.read_text().splitlines()]
    rows[1]["by_seed"]["0"]["value"] = rows[1]["value"] = rows[1]["median"] = 3.0
    ledger.write_text("".join(json.dumps(sealed(row)) + "\n" for row in rows))
    assert main(["reproduce", "tiny", "--check", "two"]) == 1
    assert "DIFFERS" in capsys.readouterr().out
    assert main(["reproduce", "tiny", "--check", "thre"]) == 2
    assert "one, two" in capsys.readouterr().err
    assert main(["reproduce", "tiny", "--check", "two", "--recorded", "nowhere"]) == 2
    assert "nothing is recorded" in capsys.readouterr().err


def test_what_agrees() -> None:
    assert agreement(2.9, 2.0, {"value": 2.0, "sd": 0.5})[0]
    assert not agreement(3.6, 2.0, {"value": 2.0, "sd": 0.5})[0]
    assert agreement(2.05, 2.0, {"value": 2.0, "sd": None})[0]
    assert not agreement(2.2, 2.0, {"value": 2.0, "sd": None})[0]
    assert not agreement(None, 2.0, {"value": 2.0, "sd": None})[0]
    assert agreement(None, None, {"value": None, "sd": None})[0]


@pytest.mark.usefixtures("unsynced")
def test_a_demonstration_is_listed_and_checked(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "fwm-bindings", "--seeds", "2", "--results", "results"]) == 0
    capsys.readouterr()
    assert main(["reproduce", "fwm-bindings", "--list", "--only", "concat*", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["cells"]) == 4
    assert main(["reproduce", "fwm-bindings", "--check", "concat 10 lost"]) == 0
    assert "all seeds" in capsys.readouterr().out
    assert main(["reproduce", "fwm-bindings", "--check", "concat 10"]) == 2
    assert "concat 10 lost" in capsys.readouterr().err
    assert main(["reproduce", "fwm-bindings", "--list", "--models", "lstm"]) == 2
    assert "no --models" in capsys.readouterr().err


def test_help_and_docs_say_what_agrees(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["reproduce", "--help"])
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert f"within {SPREAD:g} standard deviations of the recorded seeds" in text
    assert f"within {100 * SINGLE:g} %" in text


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no signals of that kind")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_of_a_study_outlives_it(number: signal.Signals, tmp_path: Path) -> None:
    """Begun in a shell's background, where Ctrl-C is ignored."""
    line = [sys.executable, "-m", "fastweights", "reproduce", "ba2016-table1", "--jobs", "2"]
    line += ["--models", "irnn"]  # which compiles nothing
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    said = tmp_path / "said.txt"
    try:
        with said.open("w") as stderr:
            study = subprocess.Popen(line, cwd=tmp_path, start_new_session=True, stderr=stderr)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        until(lambda: len(list(tmp_path.glob("runs/*/*/*/metrics.jsonl"))) == 2)
        study.send_signal(number)
        assert study.wait(timeout=60) in (130, -number)
        until(lambda: not group_is_alive(study.pid))
        assert "leaked" not in said.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(study.pid, signal.SIGKILL)


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def group_is_alive(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True
