"""Machine code from the cache: run only if it is whole and this user's own, compiled anew and replaced else."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastweights.kernels import cache
from fastweights.kernels.cache import cache_folder

posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owners there")

CODE = {"code": bytes(range(200)), "name": "kernel"}


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    """A kernel's file, beside which nothing can be kept, and no folder that others have looked at."""
    path = tmp_path / "package" / "kernel.py"
    path.parent.mkdir()
    path.write_text("")
    (path.parent / "__pycache__").write_text("a file, so no folder")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users"))
    cache._usable.cache_clear()
    return path


@pytest.fixture
def files(tmp_path):
    return cache._CodeFiles(str(tmp_path), "kernel", "stamp" * 9)


def test_what_is_saved_comes_back_for_its_types_alone(files, tmp_path):
    files.save("float32", CODE)
    files.save("float64", {})
    assert files.load("float32") == CODE and files.load("float64") == {}
    assert files.load("int64") is None
    first, second = sorted(tmp_path.glob("*.nbc"))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    assert files.load("float32") is None and files.load("float64") is None


def test_no_bit_that_flipped_is_run_and_the_file_is_replaced(files, tmp_path):
    files.save("float32", CODE)
    (path,) = tmp_path.glob("*.nbc")
    whole = path.read_bytes()
    assert 8 * len(whole) > 200
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        assert files.load("float32") is None
    for changed in (b"", whole[:40], whole + b"\0"):
        path.write_bytes(changed)
        assert files.load("float32") is None
    files.save("float32", CODE)
    assert path.read_bytes() == whole and files.load("float32") == CODE


@posix
def test_files_that_may_be_somebody_elses_are_not_run(files, tmp_path, monkeypatch):
    files.save("float32", CODE)
    (path,) = tmp_path.glob("*.nbc")
    assert path.stat().st_mode & 0o777 == 0o600
    for mode in (0o620, 0o602):
        path.chmod(mode)
        assert files.load("float32") is None
    path.chmod(0o600)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert files.load("float32") is None
    files.save("float32", CODE)
    assert files.load("float32") == CODE
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert files.load("float32") is None


@posix
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_folder_that_others_can_write_to_is_passed_over_with_one_line(
    mode, source, tmp_path, caplog
):
    named = tmp_path / "named" / "fastweights"
    named.mkdir(parents=True)
    named.chmod(mode)
    with caplog.at_level(logging.WARNING, "fastweights.kernels"):
        for _ in range(3):
            assert cache_folder(source) == tmp_path / "users" / "fastweights" / "kernels"
    (record,) = caplog.records
    assert f"{named}: others than its owner" in record.getMessage()


@posix
def test_a_folder_of_another_user_is_passed_over(source, tmp_path, monkeypatch, caplog):
    named = tmp_path / "named" / "fastweights"
    named.mkdir(parents=True)
    owner = named.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert cache_folder(source) is None
    assert f"it belongs to another user ({owner})" in caplog.text


@posix
def test_a_folder_is_made_for_its_owner_alone_whatever_the_umask(source, tmp_path):
    before = os.umask(0o002)
    try:
        folder = cache_folder(source)
    finally:
        os.umask(before)
    assert folder == tmp_path / "named" / "fastweights"
    assert folder.stat().st_mode & 0o777 == 0o755


def test_without_a_home_the_other_folders_serve(source, tmp_path, monkeypatch):
    def nobody(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder(source) == tmp_path / "named" / "fastweights"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert cache_folder(source) is None
    (source.parent / "__pycache__").unlink()
    cache._usable.cache_clear()
    assert cache_folder(source) == source.parent / "__pycache__"


def test_code_that_cannot_be_linked_is_compiled_anew(monkeypatch):
    def refuse(context, data):
        raise RuntimeError("LLVM refuses it")

    class Cache(cache.CodeCache):
        def __init__(self):
            self._enabled = True
            self._impl = SimpleNamespace(rebuild=refuse)
            self._cache_file = SimpleNamespace(load=lambda key: CODE)

        def _index_key(self, sig, codegen):
            return "key"

    context = SimpleNamespace(refresh=lambda: None, codegen=lambda: None)
    assert Cache().load_overload("signature", context) is None


def test_what_dead_processes_began_is_cleared_and_what_lives_stays(files, tmp_path):
    ended = os.fork()
    if not ended:
        os._exit(0)
    os.waitpid(ended, 0)
    name = files._data_name("float64")
    dead, living = (
        tmp_path / f".{name}.{process}.0123abcd.tmp" for process in (ended, os.getppid())
    )
    old, new = (tmp_path / f"{name}.tmp.{letter * 16}" for letter in "ab")
    for path in (dead, living, old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    files.save("float32", CODE)
    assert {path.name for path in tmp_path.iterdir()} == {
        *(living.name, new.name, files._data_name("float32"))
    }


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, OSError])
def test_a_stopped_write_leaves_nothing(stopped, files, tmp_path, monkeypatch):
    def stop(source, target):
        raise stopped

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(stopped):
        files.save("float32", CODE)
    assert list(tmp_path.iterdir()) == []
