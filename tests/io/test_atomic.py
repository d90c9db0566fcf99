"""The one atomic writer: the old content or the new at any moment, on the disk when it returns."""

import os
import stat
import threading
from pathlib import Path

import pytest

import fastweights
from fastweights.errors import UserError
from fastweights.io.atomic import (
    no_folders_left,
    open_atomically,
    oserror_as_user_error,
    remove,
    write_atomically,
    write_folder_atomically,
)

WRITES = ("mkstemp(", "NamedTemporaryFile(", "os.fsync(", ".write_bytes(", ".write_text(")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    write_atomically(path, b"old")
    return path


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, OSError, ValueError])
def test_a_block_that_fails_leaves_the_old_content_alone(path, stopped):
    with pytest.raises(stopped), open_atomically(path) as file:
        file.write(b"ne")
        raise stopped
    assert path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]


def test_the_file_is_on_the_disk_before_the_rename_and_the_rename_when_it_returns(
    path, monkeypatch
):
    synced = []

    def fsync(descriptor):
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(path, b"new")
    assert synced == [(False, b"old"), (True, b"new")]


def test_those_who_write_at_once_do_not_disturb_each_other(path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    contents = [bytes([letter]) * 10_000 for letter in b"abcdefgh"]
    barrier, errors = threading.Barrier(len(contents)), []

    def write(content):
        barrier.wait()
        try:
            for _ in range(20):
                write_atomically(path, content)
        except UserError as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not errors and path.read_bytes() in contents
    assert list(path.parent.iterdir()) == [path]


def test_an_error_that_has_no_number_is_told_in_its_words(path):
    told = pytest.raises(UserError, match=r"^cannot read .*: out of tape$")
    with told, oserror_as_user_error("read", path):
        raise OSError("out of tape")


@pytest.mark.skipif(os.name == "nt", reason="no permissions of that kind")
def test_a_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "a", b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    write_folder_atomically(folder, {"a": b"1", "b": b"2"})
    write_folder_atomically(folder, {"c": b"3"})
    assert [entry.name for entry in folder.iterdir()] == ["c"]

    def refuse(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UserError, match=r"cannot write .*folder: the disk is full"):
        write_folder_atomically(folder, {"d": b"4"})
    assert (folder / "c").read_bytes() == b"3"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_is_on_the_disk_before_the_rename_and_the_rename_when_it_returns(
    tmp_path, monkeypatch
):
    folder, synced = tmp_path / "folder", []

    def fsync(descriptor):
        here = os.fstat(descriptor)
        place = "around" if os.path.samestat(here, tmp_path.stat()) else "inside"
        synced.append((place if stat.S_ISDIR(here.st_mode) else "file", folder.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_folder_atomically(folder, {"a": b"1"})
    assert synced == [("file", False), ("inside", False), ("around", True)]


def test_what_cannot_be_removed_stays(path, monkeypatch):
    def refuse(*_words, **_options):
        raise PermissionError

    for name in ("unlink", "rmdir"):
        monkeypatch.setattr(os, name, refuse)
    remove(path)
    remove(path.parent)
    assert path.read_bytes() == b"old"


def test_no_file_stays_open(path):
    def next_free():
        descriptor = os.open(path, os.O_RDONLY)
        os.close(descriptor)
        return descriptor

    before = next_free()
    write_atomically(path, b"new")
    write_folder_atomically(path.with_name("folder"), {"b": b"1"})
    assert next_free() == before


def test_nothing_else_in_the_library_writes_files_by_itself():
    root = Path(fastweights.__file__).parent
    own = {
        source.relative_to(root).as_posix()
        for source in root.rglob("*.py")
        if any(write in source.read_text() for write in WRITES)
    }
    assert own == {"io/atomic.py"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
def test_a_device_or_a_pipe_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="no plain file"):
        write_atomically(pipe, b"new")
    assert stat.S_ISFIFO(pipe.lstat().st_mode) and list(tmp_path.iterdir()) == [pipe]


def test_folders_that_were_made_for_nothing_go(tmp_path):
    (tmp_path / "there").mkdir()
    path = tmp_path / "there" / "a" / "b" / "file"

    def fail(with_a_file: bool) -> None:
        with no_folders_left(path):
            path.parent.mkdir(parents=True)
            if with_a_file:
                (path.parents[1] / "other").touch()
            raise UserError

    with pytest.raises(UserError):
        fail(with_a_file=False)
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]
    with pytest.raises(UserError):
        fail(with_a_file=True)
    assert (path.parents[1] / "other").exists() and not path.parent.exists()
