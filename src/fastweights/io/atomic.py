"""Writing files and folders so that an interrupted write leaves the old content or the new, never a half."""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fastweights.errors import UserError
from fastweights.io.plain import NO_PATH, is_path

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the file system is read-only",
    errno.EEXIST: "a file stands in its place",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
}


@contextmanager
def oserror_as_user_error(action: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` in the block into a `UserError`: "cannot write a: the disk is full"."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise UserError(f"cannot {action} {path}: {reason}") from error
    except ValueError as error:
        if is_path(path):
            raise
        raise UserError(f"cannot {action} {str(path)!r}: {NO_PATH}") from error


_UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK}
"""What a network or foreign file system answers to what it does not have; what it failed to do is another number."""

SYNC = "write through to the disk: a power cut may take what was written last"
_log = logging.getLogger("fastweights.io")
_warned: set[str] = set()


@contextmanager
def if_supported(what: str, path: Path) -> Iterator[None]:
    """Pass over what the block asks of a file system that does not have it, with one warning; failures are raised.

    Args:
        what: for the warning: what it cannot do, and what is lost without.
        path: of a file or folder on it.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        if what not in _warned:
            _warned.add(what)
            _log.warning("the file system of %s cannot %s", path, what)


@contextmanager
def no_folders_left(path: Path) -> Iterator[None]:
    """Remove the folders on the way to `path` that were made in the block, and are empty, if it fails."""
    missing = [place for place in path.parents if not place.exists()]
    try:
        yield
    except BaseException:
        for place in missing:
            with suppress(OSError):
                place.rmdir()
        raise


@contextmanager
def open_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` that takes its place when the block ends, and goes if the block fails.

    Its `name` is a path too, so what has been written (and flushed) can be checked before it takes the place. File and
    rename have reached the disk when this returns.

    Raises:
        OSError: if it cannot be written, or a device or a pipe stands there; what was there before is untouched.
    """
    with suppress(FileNotFoundError):
        kind = stat.S_IFMT(path.lstat().st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR):
            raise OSError(errno.EINVAL, "it is no plain file", str(path))
    temporary = temporary_name(path)
    try:
        with temporary.open("xb") as file:
            yield file
            _sync(file, path)
        temporary.replace(path)
    except BaseException:
        remove(temporary)
        raise
    _sync_folder(path.parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file `path` by `content` in one step.

    Raises:
        UserError: if it cannot be written; what was there before is untouched.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_atomically(Path(folder) / "a.txt", b"whole")
        ...     (Path(folder) / "a.txt").read_bytes()
        b'whole'
    """
    with oserror_as_user_error("write", path), open_atomically(path) as file:
        file.write(content)


def write_folder_atomically(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Replace `folder` by one with these files, by name; the folder around it must exist.

    A kill between the two renames that this takes leaves no `folder`, where there was one before; whatever is there is
    whole at any time.

    Raises:
        UserError: if it cannot be written; what was there before is untouched.
    """
    temporary = temporary_name(folder)
    with oserror_as_user_error("write", folder):
        try:
            temporary.mkdir()
            for name, content in contents.items():
                with (temporary / name).open("xb") as file:
                    file.write(content)
                    _sync(file, temporary)
            _sync_folder(temporary)
            replaced = move(folder, temporary_name(folder)) if folder.exists() else None
            temporary.rename(folder)
            _sync_folder(folder.parent)
        except OSError:
            remove(temporary)
            raise
    if replaced is not None:
        remove(replaced)


def move(folder: Path, target: Path) -> Path:
    """Rename a folder to a name beside it and return that; copy it where its files lie on several devices.

    That is what an overlay makes of a folder in its lower layer: it can be read and removed, but not renamed.

    Raises:
        OSError: if it cannot be done; what was there before is untouched, or partly removed where it had to be copied.
    """
    try:
        return folder.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    try:
        shutil.copytree(folder, target, symlinks=True)
    except BaseException:
        remove(target)
        raise
    shutil.rmtree(folder)
    return target


def remove(path: Path) -> None:
    """Remove a file, a link or a folder if it is there, as far as that is possible; what a link leads to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def clear_temporaries(folder: Path, name: str | None = None) -> None:
    """Remove from a folder what processes that are dead by now had begun to write, of all names or of one.

    Those of a process that lives stay, and so do those of any where the system cannot tell.
    """
    for path in folder.glob(".*.tmp"):
        began = _TEMPORARY.fullmatch(path.name)
        if began and name in (None, began["name"]) and not _alive(int(began["process"])):
            remove(path)


_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<process>\d{1,9})\.[0-9a-f]{8}\.tmp", re.DOTALL)


def _alive(process: int) -> bool:
    if sys.platform == "win32":
        return True  # asking would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def temporary_name(path: Path) -> Path:
    """Return a name beside `path` that is nobody else's, neither of another process nor of another thread."""
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


def _sync(file: IO[bytes], path: Path) -> None:
    """Wait until what was written into a file is on the disk."""
    file.flush()
    with if_supported(SYNC, path):
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Wait until renames inside `folder` are on the disk (where folders can be opened)."""
    if sys.platform == "win32":
        return
    with if_supported(SYNC, folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
