"""A run folder from a stranger: nothing in it leads what is written, removed or read out of it."""

from __future__ import annotations

import hashlib
import os

import pytest
import torch

from fastweights.errors import UserError
from fastweights.runs import Run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need a right of their own there")

WEIGHTS = {"model.weight": torch.ones(2)}


@pytest.fixture
def mine(tmp_path):
    """A folder of somebody's own beside the run."""
    folder = tmp_path / "mine"
    (folder / "000000001").mkdir(parents=True)
    for name in ("file", ".hidden", "000000001/file"):
        (folder / name).write_text("mine")
    return folder


@pytest.fixture
def run(tmp_path):
    run = Run.create(tmp_path / "run", {})
    run.save_checkpoint(10, WEIGHTS, {})
    return run


def held(folder):
    return {
        path.relative_to(folder): path.is_dir() or path.read_text() for path in folder.rglob("*")
    }


@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
@pytest.mark.parametrize("name", [".lock", "metrics.jsonl"])
def test_a_file_that_leads_elsewhere_is_not_written(name, kind, run, mine):
    before = held(mine)
    path = run.folder / name
    path.unlink(missing_ok=True)
    getattr(path, kind)(mine / "file")
    with pytest.raises(UserError, match=r"(\.lock|metrics\.jsonl): it is a link"):
        if name == ".lock":
            with Run.open(run.folder).lock:
                pass
        else:
            run.log({"step": 1})
    assert held(mine) == before


def test_a_lock_that_is_a_pipe_is_not_waited_for(run):
    (run.folder / ".lock").unlink()
    os.mkfifo(run.folder / ".lock")
    with pytest.raises(UserError, match="no plain file"), run.lock:
        pass


def test_a_new_run_in_a_folder_with_such_a_lock_is_refused(tmp_path, mine):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".lock").symlink_to(mine / "file")
    with pytest.raises(UserError, match="it is a link"):
        Run.create(tmp_path / "new", {})
    assert (mine / "file").read_text() == "mine"


def test_no_checkpoint_is_written_and_none_removed_through_a_link(run, mine):
    before = held(mine)
    (run.folder / "checkpoint").rename(run.folder / "moved")
    (run.folder / "checkpoint").symlink_to(mine)
    with pytest.raises(UserError, match="checkpoint: it is a link"):
        run.save_checkpoint(20, WEIGHTS, {})
    assert held(mine) == before


def test_a_checkpoint_that_is_a_link_is_replaced_and_what_it_leads_to_stays(run, mine):
    before = held(mine)
    (run.folder / "checkpoint" / "000000020").symlink_to(mine)
    run.save_checkpoint(20, WEIGHTS, {})
    assert held(mine) == before and run.load_checkpoint().step == 20


def test_only_what_a_killed_process_began_is_cleared_away(run):
    root = run.folder / "checkpoint"
    (root / ".nfs0001").write_text("a file system's own")
    (root / ".000000020.1.ab.tmp").mkdir()
    run.save_checkpoint(20, WEIGHTS, {})
    assert {path.name for path in root.glob(".*")} == {".nfs0001"}


def test_no_picture_is_drawn_through_a_link(run, mine):
    run.figures.rmdir()
    run.figures.symlink_to(mine)
    with pytest.raises(UserError, match="figures: it is a link"):
        _ = run.figures


@pytest.mark.parametrize("name", ["metrics.jsonl", "result.json", "config.json"])
def test_records_without_end_are_not_read(name, run):
    for trap in (lambda path: path.symlink_to("/dev/zero"), os.mkfifo):
        (run.folder / name).unlink(missing_ok=True)
        trap(run.folder / name)
        read = {"metrics.jsonl": run.metrics, "result.json": run.result}
        with pytest.raises(UserError, match="no plain file"):
            read.get(name, lambda: Run.open(run.folder))()


NAMES = ("/dev/zero", "../config.json", "../../mine/file", "pipe", "link", "folder", "", ".", "a/b")


@pytest.mark.parametrize("name", NAMES)
def test_a_list_of_checksums_names_plain_files_of_its_folder_alone(name, run, mine, caplog):
    run.save_checkpoint(20, WEIGHTS, {})
    newest = run.folder / "checkpoint" / "000000020"
    os.mkfifo(newest / "pipe")
    (newest / "link").symlink_to(mine / "file")
    (newest / "folder").mkdir()
    digest = hashlib.sha256(b"mine").hexdigest()
    with (newest / "SHA256SUMS").open("a") as sums:
        sums.write(f"{digest}  {name}\n")
    assert run.load_checkpoint().step == 10
    assert "000000020 is damaged (" in caplog.text


def test_a_list_of_checksums_without_end_is_not_read(run, caplog):
    run.save_checkpoint(20, WEIGHTS, {})
    (run.folder / "checkpoint" / "000000020" / "SHA256SUMS").write_bytes(b"0" * (1 << 17))
    assert run.load_checkpoint().step == 10
    assert "more than 65,536 bytes" in caplog.text


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nothing"])
@pytest.mark.parametrize("name", ["result.json", "metrics.jsonl"])
def test_what_is_no_plain_file_is_said_and_not_taken_for_absent(name, kind, tmp_path):
    run = Run.create(tmp_path / "run", {})
    path = run.folder / name
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    with pytest.raises(UserError, match=name):
        run.result() if name == "result.json" else run.metrics()
