"""A run that is begun: left as it was by a refusal, and taken up again after a kill at any moment of its creation."""

import os
import subprocess
import sys

import pytest
import torch

from fastweights.errors import UserError
from fastweights.runs import Run, begun

WEIGHTS = {"model.weight": torch.zeros(2)}


@pytest.fixture(scope="module")
def dead():
    """The id of a process that is dead."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def refuse(folder, **options):
    with pytest.raises(UserError, match="no such backend"), begun(folder, {}, **options):
        raise UserError("no such backend")


def test_a_refusal_leaves_nothing_not_even_the_folders_around(tmp_path):
    refuse(tmp_path / "runs" / "deep" / "run")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "runs").mkdir()
    refuse(tmp_path / "runs" / "deep" / "run")
    assert [path.name for path in tmp_path.rglob("*")] == ["runs"]


def test_a_refusal_gives_back_what_was_to_be_overwritten(tmp_path):
    Run.create(tmp_path / "run", {"seed": 1})
    refuse(tmp_path / "run", overwrite=True)
    assert Run.open(tmp_path / "run").config["seed"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_was_overwritten_goes_when_the_work_is_done(tmp_path):
    Run.create(tmp_path / "run", {"seed": 1})
    with begun(tmp_path / "run", {"seed": 2}, overwrite=True) as run:
        run.log({"step": 0})
    assert Run.open(tmp_path / "run").config["seed"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_with_a_checkpoint_and_one_whose_failure_is_an_outcome_stay(tmp_path):
    with pytest.raises(UserError), begun(tmp_path / "saved", {}) as run:
        run.save_checkpoint(3, WEIGHTS, {})
        raise UserError("the disk is full")
    with pytest.raises(ZeroDivisionError), begun(tmp_path / "kept", {}, keep=(ZeroDivisionError,)):
        raise ZeroDivisionError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "saved"]


def test_what_is_no_run_is_never_touched(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    for overwrite in (False, True):
        with pytest.raises(UserError), begun(tmp_path, {}, overwrite=overwrite):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_run_that_is_being_written_is_not_overwritten(tmp_path):
    run = Run.create(tmp_path / "run", {"seed": 1})
    with (
        run.lock,
        pytest.raises(UserError, match="being written"),
        begun(tmp_path / "run", {}, overwrite=True),
    ):
        pass
    assert Run.open(tmp_path / "run").config["seed"] == 1


def test_what_dead_processes_began_is_cleared_and_what_living_ones_did_stays(tmp_path, dead):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").write_text(f"{dead}\n")
    (folder / f".config.json.{dead}.0123abcd.tmp").write_text("{")
    run = Run.create(folder, {})  # as a kill before config.json leaves it
    run.save_checkpoint(1, WEIGHTS, {})
    gone = [
        folder / f".metrics.jsonl.{dead}.0123abcd.tmp",
        folder / "checkpoint" / f".000000002.{dead}.0123abcd.tmp",
        folder / "figures" / f".slots.png.{dead}.0123abcd.tmp",
        tmp_path / f".run.{dead}.0123abcd.tmp",
    ]
    kept = [
        folder / f".metrics.jsonl.{os.getpid()}.0123abcd.tmp",
        folder / ".mine.tmp",
        tmp_path / f".other.{dead}.0123abcd.tmp",
    ]
    for path in gone + kept:
        path.write_text("")
    with run.lock:
        run.clear_temporaries()
    assert not any(path.exists() for path in gone) and all(path.exists() for path in kept)
    assert not (folder / f".config.json.{dead}.0123abcd.tmp").exists()
