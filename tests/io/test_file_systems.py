"""What a file system does not support is no reason to stop; what it failed to do is an error in one line."""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastweights.errors import UserError
from fastweights.io import atomic
from fastweights.io.atomic import write_atomically, write_folder_atomically
from fastweights.runs import Lock, Run, begun

fcntl = pytest.importorskip("fcntl")

MISSING = ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "ENOLCK"]
FAILED = {
    "ENOSPC": "the disk is full",
    "EDQUOT": "the disk quota is used up",
    "EROFS": "the file system is read-only",
    "EIO": "nput/output error",
}


class FileSystem:
    """A file system that answers calls with an error: `fail` says which, by the name of the call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def fail(self, call: str, error: str, when: Callable[..., bool] = lambda *given: True) -> None:
        module: Any = fcntl if call == "flock" else os
        real = getattr(module, call)

        def answer(*given: Any, **named: Any) -> Any:
            if when(*given):
                raise OSError(getattr(errno, error), os.strerror(getattr(errno, error)))
            return real(*given, **named)

        self.monkeypatch.setattr(module, call, answer)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> FileSystem:
    monkeypatch.setattr(atomic, "_warned", set())
    return FileSystem(monkeypatch)


def is_folder(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def used(folder: Path) -> None:
    """Do all that a run does with its folder, twice."""
    for step in (1, 2):
        write_atomically(folder / "a", b"%d" % step)
        write_folder_atomically(folder / "b", {"c": b"%d" % step})
    assert (folder / "a").read_bytes() == (folder / "b" / "c").read_bytes() == b"2"
    assert sorted(each.name for each in folder.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("error", MISSING)
@pytest.mark.parametrize("when", [is_folder, lambda descriptor: True], ids=["folders", "all"])
def test_without_fsync_files_are_written_and_it_is_said_once(when, error, system, tmp_path, caplog):
    system.fail("fsync", error, when)
    used(tmp_path)
    (record,) = caplog.records
    assert "a power cut may take what was written last" in record.getMessage()


@pytest.mark.parametrize("error", FAILED)
def test_an_fsync_that_failed_is_an_error(error, system, tmp_path):
    write_atomically(tmp_path / "a", b"old")
    system.fail("fsync", error, lambda descriptor: not is_folder(descriptor))
    with pytest.raises(UserError, match=f"cannot write .*{FAILED[error]}"):
        write_atomically(tmp_path / "a", b"new")
    with pytest.raises(UserError, match=f"cannot write .*{FAILED[error]}"):
        write_folder_atomically(tmp_path / "b", {"c": b""})
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("error", MISSING)
def test_without_locks_a_run_is_written_and_it_is_said_once(error, system, tmp_path, caplog):
    system.fail("flock", error)
    with caplog.at_level(logging.WARNING):
        run = Run.create(tmp_path / "run", {})
        with run.lock:
            run.log({"step": 1})
    assert [row["step"] for row in run.metrics()] == [1]
    (record,) = caplog.records
    assert "cannot lock files" in record.getMessage()


def test_a_lock_that_another_holds_is_one_all_the_same(system, tmp_path):
    system.fail("flock", "EWOULDBLOCK")
    with pytest.raises(UserError, match="is being written"), Lock(tmp_path / ".lock"):
        pass


@pytest.mark.parametrize("error", ["EIO", "EBADF"])
def test_a_lock_that_failed_is_an_error(error, system, tmp_path):
    system.fail("flock", error)
    with pytest.raises(UserError, match="cannot lock"), Lock(tmp_path / ".lock"):
        pass


def test_a_folder_that_an_overlay_cannot_rename_is_replaced(system, tmp_path):
    lower = tmp_path / "b"
    write_folder_atomically(lower, {"c": b"0"})
    system.fail("rename", "EXDEV", lambda source, *_: Path(source) == lower)
    used(tmp_path)


def test_a_run_that_an_overlay_cannot_rename_is_put_back_or_replaced(system, tmp_path):
    folder = tmp_path / "run"
    Run.create(folder, {"seed": 1})
    system.fail("rename", "EXDEV", lambda source, *_: Path(source) == folder)
    with pytest.raises(RuntimeError), begun(folder, {"seed": 2}, overwrite=True):
        raise RuntimeError
    assert Run.open(folder).config["seed"] == 1
    with begun(folder, {"seed": 2}, overwrite=True):
        pass
    assert Run.open(folder).config["seed"] == 2
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("error", FAILED)
def test_a_rename_that_failed_leaves_what_was_there(error, system, tmp_path):
    write_folder_atomically(tmp_path / "b", {"c": b"old"})
    system.fail("rename", error)
    with pytest.raises(UserError, match=FAILED[error]):
        write_folder_atomically(tmp_path / "b", {"c": b"new"})
    assert [each.name for each in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b" / "c").read_bytes() == b"old"


@pytest.mark.parametrize("failing", [False, True])
def test_overwrite_replaces_the_run_that_a_link_leads_to(failing, tmp_path):
    place, link = tmp_path / "disk" / "run", tmp_path / "link"
    Run.create(place, {"seed": 1})
    link.symlink_to(place)
    if failing:
        with pytest.raises(RuntimeError), begun(link, {"seed": 2}, overwrite=True):
            raise RuntimeError
    else:
        with begun(link, {"seed": 2}, overwrite=True) as run:
            run.log({"step": 1})
    assert link.is_symlink() and Run.open(place).config["seed"] == (1 if failing else 2)
    assert [each.name for each in place.parent.iterdir()] == ["run"]


def test_a_refused_run_leaves_the_link_that_it_was_to_be_written_through(tmp_path):
    place, link = tmp_path / "disk", tmp_path / "link"
    place.mkdir()
    link.symlink_to(place)
    with pytest.raises(RuntimeError), begun(link, {}):
        raise RuntimeError
    assert link.is_symlink() and list(place.iterdir()) == []
