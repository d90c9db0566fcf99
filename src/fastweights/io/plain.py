"""Plain files and folders, opened such that nothing that a stranger laid in their place leads elsewhere."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO, Any

NO_PATH = "no path can hold such a character"


def is_path(path: str | os.PathLike[str]) -> bool:
    r"""Return whether a path can be one: a zero byte ends it, and what no encoding of the system has stands in none.

    Example:
        >>> is_path("naïve"), is_path("a\0b"), is_path("\ud800")
        (True, False, False)
    """
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def open_plain(path: Path, mode: str, *, links: bool = False) -> IO[Any]:
    """Open a plain file: no device, which may have no end, and no pipe, which would be waited for.

    Args:
        path: of the file.
        mode: as of `open`, "rb", "ab" or "a+"; not "w", which empties a file before anything can be known of it.
        links: whether the path may be a link to such a file. Without, neither a symbolic link is followed nor, to be
            written, a file opened that has another name besides.

    Raises:
        OSError: if it is none, or cannot be opened; nothing has been changed.
    """
    if not is_path(path):
        raise OSError(errno.EINVAL, NO_PATH, str(path))
    writing = mode != "rb"
    try:
        before = path.stat() if links else path.lstat()
    except FileNotFoundError:
        before = None
    if before is not None:
        _check(path, before, writing and not links)
    file = path.open(mode)
    try:
        now = os.fstat(file.fileno())
        _check(path, now, writing and not links)
        if not os.path.samestat(now, path.stat() if links else path.lstat()):
            raise OSError(errno.ELOOP, "it was replaced meanwhile", str(path))
    except BaseException:
        file.close()
        raise
    return file


def read_plain(path: Path, most: int | None, *, links: bool = False) -> bytes:
    """Read a plain file of at most so many bytes (None: however many).

    Raises:
        OSError: if it is none, has more, or cannot be read.
    """
    with open_plain(path, "rb", links=links) as file:
        try:
            content = file.read() if most is None else file.read(most + 1)
        except MemoryError:
            raise OSError(errno.EFBIG, "it is larger than the memory", str(path)) from None
    if most is not None and len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return content


def check_own_folder(folder: Path) -> Path:
    """Return a folder inside another, there or to be made, unless a link stands in its place.

    What is written into it, and removed from it, would be elsewhere.

    Raises:
        OSError: if it is a link.
    """
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "it is a link", str(folder))
    return folder


def _check(path: Path, status: os.stat_result, alone: bool) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, "it is a link", str(path))
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    if alone and status.st_nlink > 1:
        raise OSError(errno.EMLINK, "it is a link: the file has other names besides", str(path))
