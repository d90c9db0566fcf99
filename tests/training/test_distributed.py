"""Two processes that train together, held against one that has the whole batch to itself."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from parallel import AVERAGED, after, reader, rollout, source, supervised, trained, words
from regression import timeless
from worlds import agent

from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.training.engine import distributed

PROGRAM = Path(__file__).with_name("parallel.py")
RANKS = range(2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def launched(command, count):
    """Start a command as so many processes that work together."""
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    where |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    started = []
    for rank in range(count):
        environment = {**os.environ, **where, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
    return started


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where both the two processes and the one have trained; of two runs each has left a part to the other."""
    folder = tmp_path_factory.mktemp("parallel")
    assert trained(folder / "resumed", stop=after(4, {0}))["steps"] == 4
    for process in launched([sys.executable, PROGRAM, folder], 2):
        assert process.communicate(timeout=120)[1].decode() == ""
        assert process.returncode == 0
    trained(folder / "qa-alone")
    trained(folder / "lm-alone", of=source("lm"))
    trained(folder / "words-alone", of=words(), settings=AVERAGED)
    trained(folder / "supervised-alone", reader(), supervised())
    trained(folder / "rollout-alone", agent(), rollout())
    assert trained(folder / "stopped")["steps"] == 6
    return folder


@pytest.fixture(scope="module")
def told(folder):
    """What each process saw of each scenario."""
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in RANKS]


def assert_equal_runs(ours, theirs):
    """Hold two runs against each other, to rounding."""
    rows, expected = timeless(ours.metrics()), timeless(theirs.metrics())
    assert len(rows) == len(expected) == 3
    for row, right in zip(rows, expected, strict=True):
        assert row.keys() == right.keys()
        assert row == {name: pytest.approx(value, rel=1e-9) for name, value in right.items()}
    checkpoint, right = ours.load_checkpoint(), theirs.load_checkpoint()
    assert checkpoint.step == right.step == 6
    tensors, expected = (
        {name: tensor for name, tensor in found.tensors.items() if not name.startswith("random")}
        for found in (checkpoint, right)
    )
    torch.testing.assert_close(tensors, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["qa", "lm", "words", "supervised", "rollout"])
def test_two_processes_train_as_one_with_the_whole_batch(folder, name):
    assert_equal_runs(Run.open(folder / name), Run.open(folder / f"{name}-alone"))


@pytest.mark.parametrize("name", ["stopped", "resumed"])
def test_another_number_of_processes_resumes_a_run(folder, name):
    assert_equal_runs(Run.open(folder / name), Run.open(folder / "qa-alone"))


def test_all_have_the_same_weights_to_the_bit(told):
    for name, one in told[0].items():
        if isinstance(one, dict) and "weights" in one:
            assert one == told[1][name], name


def test_the_first_process_gives_the_weights_to_begin_with(told):
    assert told[0]["other weights"]["weights"] == told[0]["qa"]["weights"]


def test_one_that_is_asked_to_stop_stops_all_at_the_same_step(told):
    for seen in told:
        assert seen["stopped"]["interrupted"] and seen["stopped"]["steps"] == 4
        assert seen["dropout cut"]["interrupted"] and seen["dropout cut"]["steps"] == 2


def test_one_that_has_no_time_left_ends_it_for_all(told):
    assert 1 <= told[0]["timed"]["steps"] < 10**6 and not told[0]["timed"]["interrupted"]


def test_a_nan_in_one_stops_all(folder, told):
    for seen in told:
        assert seen["poisoned"].startswith("Diverged: training stopped: the loss is nan at step 3")
    assert [row["step"] for row in Run.open(folder / "poisoned").metrics()] == [0]


def test_each_drops_out_on_its_own_and_resumes_to_the_bit(folder, told):
    whole, cut = Run.open(folder / "dropout"), Run.open(folder / "cut")
    assert told[0]["dropout resumed"]["weights"] == told[0]["dropout"]["weights"]
    assert timeless(whole.metrics()) == timeless(cut.metrics())
    ours, theirs = cut.load_checkpoint().tensors, whole.load_checkpoint().tensors
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not torch.equal(theirs["random.cpu"], theirs["random_1.cpu"])


def test_what_one_refuses_all_refuse(told):
    for seen in told:
        assert "is being written by process" in seen["locked"]
        assert "2 processes cannot share 5 rows" in seen["unequal"]


def test_a_weight_that_one_process_used_has_a_gradient_in_all(told):
    for seen in told:
        assert seen["averaged"]["gradients"] == [[1.5, 3.0], [3.0, 4.0], None]
        assert seen["averaged"]["loss"] == 5.0


def test_no_thread_of_the_group_outlives_it(told):
    """One that still frees a message while the interpreter ends aborts the process."""
    assert [seen["threads left"] for seen in told] == [[], []]


def test_a_killed_process_ends_the_others_in_one_line():
    """Three processes, the last of them killed while the others wait for it."""
    program = (
        "import os, signal, sys\n"
        "from fastweights.errors import UserError\n"
        "from fastweights.training.engine import distributed\n"
        "try:\n"
        "    with distributed.joined():\n"
        "        distributed.total(1)\n"
        "        if distributed.rank() == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        distributed.total(1)\n"
        "except UserError as error:\n"
        "    sys.exit(str(error))\n"
    )
    started = launched([sys.executable, "-c", program], 3)
    said = [process.communicate(timeout=120)[1].decode() for process in started]
    assert [process.returncode for process in started] == [1, 1, -signal.SIGKILL]
    for line in said[:2]:
        assert line.startswith("another process of this launch has ended")
        assert line.count("\n") == 1


def test_a_process_alone_shares_with_nobody():
    readings, tensors = {"loss": torch.ones(())}, {"state": torch.ones(3, 1)}
    with distributed.joined("cuda:1"):
        assert (distributed.world(), distributed.rank()) == (1, 0)
        assert distributed.share(5) == range(5) and distributed.total(3, 4) == (3, 4)
        assert distributed.any_of(True, False) == (True, False)
        assert distributed.average([], readings) is readings
        for rows in (distributed.own_rows(tensors), distributed.gather_rows(tensors)):
            assert rows.keys() == tensors.keys() and torch.equal(rows["state"], tensors["state"])
        assert distributed.from_first(lambda: tensors) is tensors
        assert distributed.gather(4) == [4]


@pytest.mark.parametrize("device, told", [("cuda:1", "must be cuda"), ("cuda", "2 processes")])
def test_gpus_that_are_not_there_are_refused_before_anything(monkeypatch, device, told):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, "2")
    with pytest.raises(UserError, match=told), distributed.joined(device):
        raise AssertionError
