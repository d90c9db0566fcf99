"""Data sets fetched from where they are published, and taken only if every file is the publisher's own.

Which it is, its checksum says: so plain http will do where nothing else answers, and no copy needs to be trusted.
"""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fastweights.errors import UserError
from fastweights.io.atomic import no_folders_left, open_atomically, oserror_as_user_error
from fastweights.io.cache import data_root, expanded
from fastweights.version import VERSION

_CHUNK = 1 << 18
_MOST = 1 << 28
"""Bytes after which a reply cannot be any of these files (the largest has 16 MB)."""

Opener = Callable[[str], Any]
"""Opens an address; its value is used in a `with` and has `read(size)` and `headers`."""

Progress = Callable[[int, int | None], None]
"""Called with how many bytes of a file have come, and how many there are where that is known."""


PAUSES = (1.0, 3.0)
"""Seconds before a file is asked for again at an address that failed for the moment."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP status codes of passing failures, which are retried."""


def _open(address: str) -> object:
    """Open an address, and say who asks: some servers refuse those who do not."""
    request = urllib.request.Request(address, headers={"User-Agent": f"fastweights/{VERSION}"})
    return urllib.request.urlopen(request, timeout=30)


class _Passing(UserError):
    """What went wrong may go well soon."""


@dataclass(frozen=True)
class Published:
    """A data set as it is published, in one file or several.

    Attributes:
        title: what people call it.
        folder: its name below the folder of data sets.
        files: to be fetched into that folder.
        addresses: of the file, tried in this order, https before plain http; where there are several files, of the
            place that has them all.
        find: where the data set lies at or below a folder; a `UserError` if nowhere.
        check: a `UserError` unless what lies there is whole and the publisher's; else how many files were checked.
        check_file: a `UserError` unless what lies at a path is the file of that name.
        notice: what whoever fetches it should know, in one line; empty: nothing.
    """

    title: str
    folder: str
    files: tuple[str, ...]
    addresses: tuple[str, ...]
    find: Callable[[Path], Path]
    check: Callable[[Path], int]
    check_file: Callable[[Path, str], object]
    notice: str = ""


class Fetched(NamedTuple):
    """What came of it: where the data set lies, the addresses it came from (none: it was there), files checked."""

    path: Path
    addresses: tuple[str, ...]
    files: int


def get(
    published: Published,
    data_dir: str | Path | None = None,
    *,
    addresses: Sequence[str] | None = None,
    progress: Progress = lambda done, total: None,
    opener: Opener = _open,
) -> Fetched:
    """Fetch what is not there of a data set into the folder of data sets, unless it lies there whole.

    Args:
        published: which.
        data_dir: folder in which the set's own is made; None: `io.cache.data_root()`.
        addresses: tried one after the other; None: those where it is published.
        progress: called after each chunk.
        opener: opens an address.

    Raises:
        UserError: if no address gives a file, with what was wrong with each.
    """
    folder = expanded(data_dir) if data_dir is not None else data_root()
    if folder.is_file():
        raise UserError(
            f"{folder} is a file; --data-dir names the folder that {published.folder} is put into"
        )
    with suppress(UserError):
        found = published.find(folder)
        return Fetched(found, (), published.check(found))
    target = folder / published.folder
    places = _secure_first(published.addresses) if addresses is None else tuple(addresses)
    taken = []
    for name in published.files:
        with suppress(UserError, OSError):
            published.check_file(target / name, name)
            continue
        alone = len(published.files) == 1
        sources = [place if alone else f"{place.rstrip('/')}/{name}" for place in places]
        taken.append(_fetch(published, target / name, sources, progress, opener))
    whole = target / published.files[0] if len(published.files) == 1 else target
    found = published.find(folder)
    if found != whole:
        raise UserError(f"{whole} is whole, but {found} is found first and is not: remove it")
    return Fetched(found, tuple(taken), published.check(found))


def _secure_first(addresses: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(addresses, key=lambda address: not address.startswith("https:")))


def _fetch(
    published: Published,
    target: Path,
    addresses: Sequence[str],
    progress: Progress,
    opener: Opener,
) -> str:
    """Fetch one file, whole and checked, and give the address it came from."""
    complaints = []
    with no_folders_left(target), oserror_as_user_error("write", target):
        target.parent.mkdir(parents=True, exist_ok=True)
        for address in addresses:
            try:
                _take(published, target, address, progress, opener)
                return address
            except UserError as error:
                complaints.append(f"{address}: {error}")
        raise UserError(
            f"no address gave {published.title} ({'; '.join(complaints)}); fetch it by hand,"
            " then name it with --data-dir"
        )


def _take(
    published: Published, target: Path, address: str, progress: Progress, opener: Opener
) -> None:
    """Fetch one file from one address, which is asked again while it fails for the moment."""
    for pause in (*PAUSES, None):
        try:
            with open_atomically(target) as file:
                file.writelines(_chunks(address, opener, progress))
                file.flush()
                published.check_file(Path(file.name), target.name)
            return
        except _Passing:
            if pause is None:
                raise
            time.sleep(pause)


def _chunks(address: str, opener: Opener, progress: Progress) -> Iterator[bytes]:
    """Read what an address replies, chunk by chunk; what goes wrong with it is a `UserError`."""
    try:
        with opener(address) as reply:
            length = reply.headers.get("Content-Length")
            total, done = int(length) if length else None, 0
            while chunk := reply.read(_CHUNK):
                done += len(chunk)
                if done > _MOST:
                    raise UserError("the reply is far too long to be that file")
                progress(done, total)
                yield chunk
    except UserError:
        raise
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        reason = error.reason if type(error) is urllib.error.URLError else error
        raise _kind(reason)(str(reason) or type(reason).__name__) from None
    if total is not None and done < total:
        raise _Passing(f"the connection ended after {done} of {total} bytes")


def _kind(reason: object) -> type[UserError]:
    """Return the kind of error: whether it is worth asking again."""
    if isinstance(reason, urllib.error.HTTPError):
        return _Passing if reason.code in _PASSING else UserError
    lasting = (FileNotFoundError, PermissionError, IsADirectoryError, ssl.SSLCertVerificationError)
    passing = isinstance(reason, OSError | http.client.HTTPException)
    return _Passing if passing and not isinstance(reason, lasting) else UserError
