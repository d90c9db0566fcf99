"""Where the machine code of kernels is kept from one process to the next.

Numba's own cache looks at the file of the function alone and would serve stale machine code after an edit of a helper
in another file; it refuses to import where no folder is writable; it can mix up what two processes compile at once; and
it runs whatever it finds. Here the cache carries a hash of all kernel sources, a file's name says what is in it, a
checksum that it is whole, and its owner that it is this user's. Where nothing can be written, kernels are compiled once
per process.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from fastweights.errors import UserError
from fastweights.io.atomic import clear_temporaries, open_atomically, remove
from fastweights.io.cache import user_cache
from fastweights.io.plain import open_plain
from fastweights.kernels.numba_internals import (
    CacheFiles,
    CacheImpl,
    CacheLocator,
    FunctionCache,
    unpickled,
)

logger = logging.getLogger("fastweights.kernels")

_DIGEST = hashlib.sha256().digest_size

_LONGEST_WRITE = 600.0
"""Seconds after which a file that does not name its writer is no longer being written."""


@cache
def source_stamp(source: Path) -> str:
    """Return a hash of all that a kernel may be made of: machine code of other sources is stale.

    That is this package, and the folder of the file that defines the kernel.
    """
    digest = hashlib.sha256()
    for folder in (Path(__file__).parent, source.parent):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def cache_folder(source: Path) -> Path | None:
    """Return the first folder for machine code that can be written, and by this user alone, or None.

    In order: NUMBA_CACHE_DIR, `__pycache__` beside the source, the user's cache folder.
    """
    if not source.is_file():
        return None
    return next((folder for folder in _candidates(source) if _usable(folder)), None)


def _candidates(source: Path) -> Iterator[Path]:
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"]) / "fastweights"
    yield source.parent / "__pycache__"
    with contextlib.suppress(UserError):  # a user without a home
        yield user_cache() / "kernels"


@cache
def _usable(folder: Path) -> bool:
    """Return whether machine code may be kept in a folder, which is made; if others can write there, that is said."""
    try:
        _make(folder)
        if reason := _foreign(folder.lstat()) or _foreign(folder.stat()):
            if folder.name != "__pycache__":
                logger.warning(
                    "kernels are not kept in %s: %s; another folder is used", folder, reason
                )
            return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _make(folder: Path) -> None:
    """Create a folder that others cannot write to, whatever the umask is."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)


def _foreign(status: os.stat_result) -> str | None:
    """Return why code that lies there may be somebody else's, or None, also where files have no owners."""
    if not hasattr(os, "geteuid"):
        return None
    if status.st_uid != os.geteuid():
        return f"it belongs to another user ({status.st_uid})"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISLNK(status.st_mode):
        return "others than its owner can write to it"
    return None


class _Locator(CacheLocator):
    """Where a kernel's machine code lies, and the stamp that says whether it is fresh."""

    def __init__(self, folder: Path, source: Path, name: str) -> None:
        self._folder = folder
        self._source = source
        self._name = name

    def get_cache_path(self) -> str:
        return str(self._folder)

    def ensure_cache_path(self) -> None:
        _make(self._folder)

    def get_source_stamp(self) -> str:
        return source_stamp(self._source)

    def get_disambiguator(self) -> str:
        return hashlib.sha256(f"{self._source}:{self._name}".encode()).hexdigest()[:10]

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator | None:
        source = Path(py_file)
        folder = cache_folder(source)
        return None if folder is None else cls(folder, source, py_func.__qualname__)


class _CacheImpl(CacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012  (the base class declares it so)


class _CodeFiles(CacheFiles):
    """The machine code of one kernel: a file for each source, types of arguments and processor, which its name says.

    Numba numbers such files and keeps an index of them. Two processes that compile at once both take the next number,
    and then one is given what the other compiled, for other types.
    """

    @property
    def _family(self) -> str:
        """Return what the names of all files of this kernel begin with, whatever they were compiled from."""
        return self._index_name.removesuffix(".nbi") + f".numba-{self._version}."

    @property
    def _fresh(self) -> str:
        """Return what the names of those begin with that were compiled from the sources as they are."""
        return f"{self._family}{self._source_stamp[:16]}."

    def _data_name(self, key: Any) -> str:
        return f"{self._fresh}{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"

    def save(self, key: Any, data: Any) -> None:
        name, content = self._data_name(key), self._dump(data)
        with open_atomically(Path(self._data_path(name))) as file:
            with contextlib.suppress(AttributeError, OSError):  # where files have no modes
                os.fchmod(file.fileno(), 0o600)  # whatever the umask says
            file.write(_digest(name, content) + content)
        self._remove(but=self._fresh)

    def load(self, key: Any) -> Any:
        """Load what was saved; None, such that it is compiled anew and replaced, unless it is whole and this user's."""
        name = self._data_name(key)
        try:
            with open_plain(Path(self._data_path(name)), "rb") as file:
                if _foreign(os.fstat(file.fileno())):
                    return None
                digest, content = file.read(_DIGEST), file.read()
            return unpickled(content) if digest == _digest(name, content) else None
        except Exception:  # not there, or of another Numba: whatever is wrong, it is compiled anew
            return None

    def flush(self) -> None:
        self._remove()

    def _remove(self, but: str | None = None) -> None:
        """Remove what was compiled, and what dead processes began; one that misses a file compiles it again."""
        folder = Path(self._cache_path)
        clear_temporaries(folder)
        for path in folder.glob(f"{glob.escape(self._family)}*.nbc"):
            if but is None or not path.name.startswith(but):
                remove(path)
        for path in folder.glob("*.nbc.tmp.*"):  # as Numba names them, and earlier versions did
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > _LONGEST_WRITE:
                    path.unlink()


def _digest(name: str, content: bytes) -> bytes:
    """Compute the checksum of a file: a bit that flipped in machine code ends the process, and so does other code."""
    return hashlib.sha256(name.encode() + b"\0" + content).digest()


class CodeCache(FunctionCache):
    """A kernel's cache, which never is a reason to fail."""

    _impl_class = _CacheImpl

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _CodeFiles(
            self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp()
        )

    def _load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super()._load_overload(sig, target_context)
        except Exception:  # code that cannot be linked is no reason to fail either: it is compiled anew and replaced
            return None

    @contextlib.contextmanager
    def _guard_against_spurious_io_errors(self) -> Iterator[None]:
        """A cache that cannot be read or written (a full disk, a race) costs a compilation, never a failure."""
        with contextlib.suppress(OSError):
            yield
