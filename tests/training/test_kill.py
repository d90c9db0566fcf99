"""A real process, killed at random moments or interrupted, and resumed."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from regression import timeless

from fastweights.runs import Run

PROGRAM = Path(__file__).with_name("regression.py")


def start(folder, steps=40, pause=0.01):
    command = [sys.executable, PROGRAM, folder, str(steps), "6", "5", str(pause)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for_a_row(process, folder, rows):
    """Wait until the run has logged so many rows; tell whether it got there alive."""
    path = folder / "metrics.jsonl"
    while process.poll() is None:
        if path.exists() and path.read_bytes().count(b"\n") >= rows:
            return True
        time.sleep(0.002)
    return False


def finish(process):
    errors = process.communicate(timeout=60)[1]
    return process.returncode, errors


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert finish(start(folder, pause=0.0)) == (0, "")
    return Run.open(folder)


def assert_equal_runs(run, whole):
    assert timeless(run.metrics()) == timeless(whole.metrics())
    ours, theirs = run.load_checkpoint(), whole.load_checkpoint()
    assert ours.step == theirs.step == 40
    assert ours.tensors.keys() == theirs.tensors.keys()
    for name, tensor in theirs.tensors.items():
        assert torch.equal(ours.tensors[name], tensor), name


def test_killed_at_random_moments_and_resumed_ends_with_the_same_bits(tmp_path, whole):
    chance = random.Random(0)
    folder = tmp_path / "run"
    for rows in (1, 5):
        process = start(folder)
        assert wait_for_a_row(process, folder, rows)
        time.sleep(chance.uniform(0, 0.06))
        process.kill()
        assert finish(process)[0] == -signal.SIGKILL
    assert finish(start(folder, pause=0.0)) == (0, "")
    assert_equal_runs(Run.open(folder), whole)


def test_ctrl_c_ends_a_process_cleanly_and_it_can_be_resumed(tmp_path, whole):
    folder = tmp_path / "run"
    process = start(folder)
    assert wait_for_a_row(process, folder, 3)
    process.send_signal(signal.SIGINT)
    assert finish(process) == (130, "")
    stopped = Run.open(folder).load_checkpoint()
    assert 12 <= stopped.step < 40
    assert finish(start(folder, pause=0.0)) == (0, "")
    assert_equal_runs(Run.open(folder), whole)
