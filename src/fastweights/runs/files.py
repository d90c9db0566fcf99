"""Writing files so that an interrupted write leaves the old content or the new, never a half."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastweights.errors import UserError

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
def one_clear_line(action: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` in the block into a `UserError`: "cannot write a: the disk is full"."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise UserError(f"cannot {action} {path}: {reason}") from error


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file and wait until it is on the disk."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until renames inside `folder` are on the disk (where folders can be opened)."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step: a temporary name, synced, then renamed.

    Raises:
        UserError: if it cannot be written; what was there before is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with one_clear_line("write", path):
        try:
            temporary.unlink(missing_ok=True)
            write_synced(temporary, content)
            temporary.replace(path)
        except OSError:
            remove(temporary)
            raise
        sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file or a folder if it is there, as far as that is possible."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return


def plain(value: Any) -> Any:
    """Make a value plain JSON: tuples become lists, paths strings, and NaN or infinity null.

    Example:
        >>> plain({"loss": float("nan"), "sizes": (1, 2)})
        {'loss': None, 'sizes': [1, 2]}
    """
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def to_json(value: Any, *, indent: int | None = None) -> bytes:
    """Encode a value as one JSON text with a line end; see `plain`."""
    text = json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()
