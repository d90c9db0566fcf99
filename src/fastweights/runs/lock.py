"""One writer at a time: a lock that the system itself releases when its holder dies."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from fastweights.errors import UserError
from fastweights.io.atomic import if_supported, oserror_as_user_error
from fastweights.io.plain import open_plain

LOCK = "lock files: nothing keeps two processes from writing there at once"


class Lock:
    """The lock file of a run folder; it holds the process id of its holder, for the message.

    The lock is the operating system's, not the file's presence, so a killed process leaves nothing
    to clear up. It may be taken several times by the object that holds it, and is let go with the
    last exit.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None
        self._depth = 0

    def __enter__(self) -> Lock:
        if self._file is None:
            self._file = self._take()
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0 and self._file is not None:
            with suppress(OSError):  # what it says is for people: the lock goes with the file
                self._file.truncate(0)
                self._file.close()
            self._file = None

    def stands(self) -> bool:
        """Return whether the file that is locked is still the one at its path: its last holder may have removed it."""
        if self._file is None:
            return False
        with suppress(OSError):
            return os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        return False

    def _take(self) -> IO[str]:
        with oserror_as_user_error("write", self.path):
            file = open_plain(self.path, "a+")
        try:
            with if_supported(LOCK, self.path):
                _lock_file(file)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            if not isinstance(error, BlockingIOError | PermissionError):
                raise UserError(f"cannot lock {self.path}: {error.strerror}") from error
            folder = self.path.parent
            raise UserError(
                f"run {folder} is being written by process {holder}; wait for it, or use another"
            ) from None
        with oserror_as_user_error("write", self.path):
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        return file


def _lock_file(file: IO[str]) -> None:
    """Lock an open file or raise `OSError` if another holds it."""
    if sys.platform == "win32":
        import msvcrt

        # A byte far beyond the text, so that others can read who holds the lock.
        file.seek(1 << 20)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
