import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from fastweights.errors import UserError
from fastweights.runs import Run


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", {"seed": 3, "model": {"name": "lstm"}})


def test_a_run_opens_as_it_was_created(run):
    opened = Run.open(run.folder)
    assert opened.config == run.config
    assert opened.config["seed"] == 3
    assert opened.config["versions"]["torch"] == str(torch.__version__)
    assert opened.config["machine"]["cores"] == os.cpu_count()
    assert run.figures.is_dir()


def test_metrics_come_back_in_order(run):
    rows = [{"step": step, "loss": 1 / 3 / (step + 1), "slots": [0.5, step]} for step in range(5)]
    for row in rows:
        run.log(row)
    assert Run.open(run.folder).metrics() == rows


def test_metrics_are_cut_after_a_step(run):
    for step in range(5):
        run.log({"step": step})
    run.truncate_metrics(2)
    assert [row["step"] for row in run.metrics()] == [0, 1, 2]
    run.log({"step": 3})
    assert [row["step"] for row in run.metrics()] == [0, 1, 2, 3]
    run.truncate_metrics(-1)
    assert run.metrics() == []


def test_a_row_cut_off_by_a_kill_is_left_out_and_overwritten(run):
    run.log({"step": 1})
    run.log({"step": 2})
    path = run.folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-4])
    assert run.metrics() == [{"step": 1}]
    run.truncate_metrics(1)
    run.log({"step": 2})
    assert run.metrics() == [{"step": 1}, {"step": 2}]


def test_a_damaged_row_is_named(run):
    path = run.folder / "metrics.jsonl"
    for step in range(3):
        run.log({"step": step})
    first, second, third = path.read_text().splitlines()
    path.write_text("\n".join((first, second[:4], third)) + "\n")
    with pytest.raises(UserError, match="line 2"):
        run.metrics()


def test_what_is_not_finite_becomes_null(run):
    run.log({"step": 0, "loss": float("nan"), "list": [float("inf"), 1.0]})
    assert run.metrics() == [{"step": 0, "loss": None, "list": [None, 1.0]}]


def test_the_result_is_none_until_written(run):
    assert run.result() is None
    run.write_result({"accuracy": 0.1})
    run.write_result({"accuracy": 0.999})
    assert Run.open(run.folder).result() == {"accuracy": 0.999}
    assert not list(run.folder.glob(".*.tmp"))


def test_a_folder_that_holds_something_is_refused_and_untouched(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="not empty; use another"):
        Run.create(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_run_is_not_created_twice(run):
    with pytest.raises(UserError, match="resume it"):
        Run.create(run.folder, {})


def test_an_empty_folder_is_taken(tmp_path):
    assert Run.open(Run.create(tmp_path, {"seed": 1}).folder).config["seed"] == 1


@pytest.mark.parametrize("content", [None, "", "{", "[1]", '{"format": 99}', "{}", "\0\xff"])
def test_what_is_no_run_folder_is_one_clear_line(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError) as caught:
        Run.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_in_place_of_the_folder_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="file"):
            Run.create(path, {})
    with pytest.raises(UserError, match="not a run folder"):
        Run.open(tmp_path / "missing")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path, monkeypatch, code):
    def refuse(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match="cannot make"):
        Run.create(tmp_path / "run", {})


def fill_the_disk(monkeypatch, room):
    """Let every file take `room` bytes before the disk is full."""
    genuine = Path.open

    class Full:
        def __init__(self, file):
            self.file, self.room = file, room

        def write(self, content):
            self.file.write(content[: self.room])
            if len(content) > self.room:
                self.file.flush()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

    def opened(path, mode="r", *args, **kwargs):
        file = genuine(path, mode, *args, **kwargs)
        return file if mode in ("r", "rb", "a+") else Full(file)

    monkeypatch.setattr(Path, "open", opened)


@pytest.mark.parametrize("room", [0, 7])
def test_a_full_disk_leaves_nothing_half_written(run, monkeypatch, room):
    tensors = {"model.weight": torch.arange(5.0)}
    run.log({"step": 1, "loss": 0.25})
    run.save_checkpoint(1, tensors, {"note": "kept"})
    run.write_result({"accuracy": 0.5})
    before = sorted(path for path in run.folder.rglob("*"))
    rows = (run.folder / "metrics.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        fill_the_disk(patch, room)
        for write in (
            lambda: run.log({"step": 2, "loss": 0.125}),
            lambda: run.save_checkpoint(2, tensors, {}),
            lambda: run.write_result({"accuracy": 0.75}),
            lambda: run.truncate_metrics(1),
        ):
            with pytest.raises(UserError, match="the disk is full"):
                write()
    assert sorted(path for path in run.folder.rglob("*")) == before
    assert (
        run.folder / "metrics.jsonl"
    ).read_bytes() == rows  # a reader would pass over half a row
    assert run.metrics() == [{"step": 1, "loss": 0.25}]
    assert run.result() == {"accuracy": 0.5}
    found = run.load_checkpoint()
    assert found.step == 1 and found.meta == {"note": "kept"}
    assert torch.equal(found.tensors["model.weight"], tensors["model.weight"])


def test_a_full_disk_at_the_start_leaves_a_folder_that_can_be_used(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        fill_the_disk(patch, 10)
        with pytest.raises(UserError, match="the disk is full"):
            Run.create(tmp_path / "run", {})
    assert Run.create(tmp_path / "run", {"seed": 1}).config["seed"] == 1


def test_one_writer_at_a_time_in_one_process(run):
    other = Run.open(run.folder)
    with run.lock:
        with run.lock:
            pass
        with pytest.raises(UserError, match=f"written by process {os.getpid()}"), other.lock:
            pass
    with other.lock:
        pass


def test_a_killed_writer_leaves_the_run_free(run):
    script = (
        "import sys, time; from fastweights.runs import Run\n"
        "with Run.open(sys.argv[1]).lock:\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(run.folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"written by process {writer.pid}"), run.lock:
            pass
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    assert (run.folder / ".lock").read_text() == f"{writer.pid}\n"
    with run.lock:
        assert (run.folder / ".lock").read_text() == f"{os.getpid()}\n"


def test_of_those_that_create_one_run_at_once_one_succeeds(tmp_path):
    """Threads stand for processes: the lock is held by the open file, not by the process."""

    def create(folder, number, barrier, created):
        barrier.wait()
        try:
            created.append(Run.create(folder, {"number": number}).config["number"])
        except UserError as error:
            assert "not empty" in str(error) or "being written" in str(error)

    for race in range(20):
        folder, barrier, created = tmp_path / f"run-{race}", threading.Barrier(4), []
        racers = [
            threading.Thread(target=create, args=(folder, number, barrier, created))
            for number in range(4)
        ]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert len(created) == 1
        assert json.loads((folder / "config.json").read_text())["number"] == created[0]
        assert Run.open(folder).figures.is_dir()
