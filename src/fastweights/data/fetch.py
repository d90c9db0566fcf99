"""bAbI v1.2 fetched from where it is published, and taken only if every file is the release's own."""

from __future__ import annotations

import functools
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fastweights.data import babi_files
from fastweights.data.atomic import atomically
from fastweights.data.folders import data_root
from fastweights.errors import UserError

ADDRESSES = (
    "http://www.thespermwhale.com/jaseweston/babi/tasks_1-20_v1-2.tar.gz",
    "https://huggingface.co/datasets/facebook/babi_qa/resolve/"
    "dc80d34a44d86281fe820e05eb8c4c62057c3075/data/tasks_1-20_v1-2.tar.gz",
)
"""The authors' address, and the copy of it that Facebook's data set page on Hugging Face keeps; tried in this order."""

_CHUNK = 1 << 18
_MOST = 1 << 28
"""Bytes after which a reply cannot be the archive (it has 16 MB)."""

Opener = Callable[[str], Any]
"""Opens an address; what it gives is used in a `with` and has `read(size)` and `headers`."""

Progress = Callable[[int, int | None], None]
"""Told how many bytes have come, and how many there are where that is known."""


_open: Opener = functools.partial(urllib.request.urlopen, timeout=30)


class Fetched(NamedTuple):
    """What came of it: where the release lies, the address it came from (None: it was there), files checked."""

    path: Path
    address: str | None
    files: int


def get(
    data_dir: str | Path | None = None,
    *,
    addresses: Sequence[str] = ADDRESSES,
    progress: Progress = lambda done, total: None,
    opener: Opener = _open,
) -> Fetched:
    """Fetch the archive into the folder of data sets, unless the whole release is there.

    Args:
        data_dir: folder in which `babi` is made; None: `folders.data_root()`.
        addresses: tried one after the other.
        progress: told after each piece.
        opener: opens an address.

    Raises:
        UserError: if no address gives the release, with what was wrong with each.
    """
    folder = Path(data_dir).expanduser() if data_dir is not None else data_root()
    if folder.is_file():
        raise UserError(f"{folder} is a file; --data-dir names the folder that babi is put into")
    target = folder / "babi" / f"{babi_files.RELEASE}.tar.gz"
    whole = _whole(folder)
    if whole is not None:
        return Fetched(whole.path, None, len(_names()))
    complaints = []
    for address in addresses:
        try:
            with atomically(target) as file:
                file.writelines(_chunks(address, opener, progress))
                file.flush()
                check(babi_files.Source(Path(file.name)))
        except UserError as error:
            complaints.append(f"{address}: {error}")
            continue
        found = babi_files.find(folder).path
        if found != target:
            raise UserError(f"{target} is whole, but {found} is found first and is not: remove it")
        return Fetched(target, address, len(_names()))
    raise UserError(
        f"no address gave bAbI v1.2 ({'; '.join(complaints)}); fetch it by hand, then name it with --data-dir"
    )


def check(source: babi_files.Source) -> None:
    """Check that every file of `en-valid` and `en-valid-10k` is the release's, by its checksum.

    Raises:
        UserError: naming the first that is missing or differs.
    """
    known = babi_files.published_digests()
    files = source.read(_names())
    for name in _names():
        if name not in files:
            raise UserError(f"{name} is missing")
        if babi_files.git_digest(files[name]) != known[name]:
            raise UserError(f"{name} is not that of bAbI v1.2")


def _names() -> list[str]:
    return [name for name in babi_files.published_digests() if name != babi_files.PART]


def _whole(folder: Path) -> babi_files.Source | None:
    try:
        source = babi_files.find(folder)
        check(source)
    except UserError:
        return None
    return source


def _chunks(address: str, opener: Opener, progress: Progress) -> Iterator[bytes]:
    """Give what an address replies, piece by piece; what goes wrong with it is a `UserError`."""
    try:
        with opener(address) as reply:
            length = reply.headers.get("Content-Length")
            total, done = int(length) if length else None, 0
            while chunk := reply.read(_CHUNK):
                done += len(chunk)
                if done > _MOST:
                    raise UserError("the reply is far too long to be the archive")
                progress(done, total)
                yield chunk
    except UserError:
        raise
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if type(error) is urllib.error.URLError else error
        raise UserError(str(reason) or type(error).__name__) from None
    if total is not None and done < total:
        raise UserError(f"the connection ended after {done} of {total} bytes")
