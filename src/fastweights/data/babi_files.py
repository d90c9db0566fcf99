"""The files of bAbI v1.2 as found: in a folder or in an archive, which is read without unpacking it to disk."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from fastweights.data.archive import read_members
from fastweights.data.file_set import read_packed
from fastweights.errors import UserError
from fastweights.io.atomic import oserror_as_user_error
from fastweights.io.cache import VARIABLE, data_root, expanded
from fastweights.io.plain import open_plain

RELEASE = "tasks_1-20_v1-2"
FOLDERS = {"10k": "en-valid-10k", "1k": "en-valid"}
"""The release's folder of each size: 10,000 or 1,000 train and validation questions a task."""
SPLITS = ("train", "valid", "test")

PART = "en-valid-10k/qa3_train_first185of1800.txt"
"""The first 185 of task 3's 1,800 train stories, taken where the whole file is missing."""
_PART_BESIDE = "en-valid-10k_qa3_train_first185of1800.txt.gz"

_LARGEST = 16 << 20
"""Bytes of the largest file that can be one of the release's (its largest has 5 MB)."""
_TOGETHER = 1 << 27
"""Bytes of all of them together, at most (those of one size have 30 MB)."""
ADVICE = "fetch the release with `fastweights data get babi`, or name its folder or archive with --data-dir"


@dataclass(frozen=True)
class Source:
    """Where the release lies: its folder, or its archive (.tar.gz, .tar.xz).

    Attributes:
        path: the folder that holds `en-valid-10k` and `en-valid`, or the archive.
    """

    path: Path

    def read(self, names: Collection[str]) -> dict[str, bytes]:
        """Read those of the files that are there, named as "en-valid-10k/qa1_train.txt", and nothing else.

        Raises:
            UserError: if the archive is damaged, or a file is far too large to be the release's.
        """
        with oserror_as_user_error("read", self.path):
            if self.path.is_dir():
                found = {n: self._open(self.path / n) for n in names if (self.path / n).is_file()}
            else:
                found = self._read_archive(names)
            if PART in names and PART not in found:
                part = self._part()
                found |= {} if part is None else {PART: part}
            return found

    def digest(self, names: Collection[str]) -> str:
        """Compute a SHA-256 that changes with whatever `read` would return."""
        digest = hashlib.sha256()
        if self.path.is_dir():
            for name, content in sorted(self.read(names).items()):
                digest.update(f"{name} {len(content)} ".encode() + content)
        else:
            with (
                oserror_as_user_error("read", self.path),
                open_plain(self.path, "rb", links=True) as archive,
            ):
                whole = hashlib.sha256()
                for chunk in iter(functools.partial(archive.read, 1 << 18), b""):
                    whole.update(chunk)
            digest.update(whole.digest())
            digest.update((self._part() or b"") if PART in names else b"")
        return digest.hexdigest()

    def _read_archive(self, names: Collection[str]) -> dict[str, bytes]:
        try:
            return read_members(self.path, names, largest=_LARGEST, together=_TOGETHER)
        except UserError as error:
            raise UserError(f"{self.path}: {error}; {ADVICE}") from None

    def _part(self) -> bytes | None:
        for folder in (self.path, self.path.parent):
            packed = folder / _PART_BESIDE
            if packed.is_file():
                try:
                    return read_packed(packed, _LARGEST, packed=True)
                except UserError as error:
                    raise UserError(f"{packed}: {error}; leave task 3 out with --tasks") from None
        return None

    @staticmethod
    def _open(path: Path) -> bytes:
        if path.stat().st_size > _LARGEST:
            raise UserError(f"{path} is too large to be a file of bAbI; {ADVICE}")
        return path.read_bytes()


def find(data_dir: str | Path | None = None) -> Source:
    """Find the release.

    Args:
        data_dir: the release's folder, its archive, or a folder that holds either (itself or in `babi`). None:
            `io.cache.data_root()`.

    Raises:
        UserError: if it is not there, with what to do.
    """
    given = expanded(data_dir) if data_dir is not None else data_root()
    if given.is_file():
        if ".tar" not in given.name and given.suffix != ".tgz":
            raise UserError(f"{given} is no .tar.gz or .tar.xz archive; {ADVICE}")
        return Source(given)
    if given.is_dir() and given.resolve().name in FOLDERS.values():
        return Source(given.resolve().parent)
    for folder in (given, given / "babi"):
        for place in (folder, folder / RELEASE):
            if any((place / size).is_dir() for size in FOLDERS.values()):
                return Source(place)
        archives = sorted(folder.glob(f"*{RELEASE}*.tar.?z")) if folder.is_dir() else []
        if archives:
            return Source(archives[0])
    where = given if data_dir is not None else f"{given} (set {VARIABLE} to look elsewhere)"
    raise UserError(
        f"no bAbI release ({RELEASE} with en-valid-10k, or its archive) in {where}; {ADVICE}"
    )


@functools.cache
def published_digests() -> dict[str, str]:
    """Return the SHA-1 that git has for each file of v1.2, by its name in the release."""
    table = resources.files("fastweights.data").joinpath("babi_v1_2.sha1").read_text()
    return {name: digest for digest, name in map(str.split, table.splitlines())}


def git_digest(content: bytes) -> str:
    """Compute the SHA-1 of a file as git has it, which public repositories' listings show.

    Example:
        >>> git_digest(b"")
        'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
