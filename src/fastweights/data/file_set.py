"""A data set that is published as several files: found under any of its names, read whole, known by checksum."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastweights.data.archive import BROKEN
from fastweights.errors import UserError
from fastweights.io.atomic import oserror_as_user_error
from fastweights.io.cache import VARIABLE, data_root, expanded
from fastweights.io.plain import open_plain


@dataclass(frozen=True)
class FileSet:
    """The files of a data set, each packed by gzip or not.

    Attributes:
        name: what `fastweights data get` calls it.
        title: what people call it.
        places: where the files may lie below a folder; "" is the folder itself.
        files: the names that each file goes by, the first that is there being taken; packed, a name ends in .gz.
        digests: SHA-256 of what is in each file, unpacked.
        largest: bytes of a file at most, unpacked.
    """

    name: str
    title: str
    places: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]
    digests: dict[str, str]
    largest: int = 1 << 24

    @property
    def advice(self) -> str:
        """How to get it, for messages."""
        return (
            f"fetch it with `fastweights data get {self.name}`, or name its folder with --data-dir"
        )

    def find(self, data_dir: str | Path | None = None) -> Path:
        """Find the folder that holds the files, or most of them.

        Args:
            data_dir: that folder, or one that holds it at one of the places. None: `io.cache.data_root()`.

        Raises:
            UserError: if there is none, with what to do.
        """
        given = expanded(data_dir) if data_dir is not None else data_root()
        if given.is_file():
            raise UserError(
                f"{given} is a file; --data-dir names the folder that {self.title}'s files lie in"
            )
        held = {
            place: sum(self._path(given / place, file) is not None for file in self.files)
            for place in self.places
        }
        place = max(held, key=held.__getitem__)
        if held[place]:
            return given / place
        where = given if data_dir is not None else f"{given} (set {VARIABLE} to look elsewhere)"
        first, *others = (names[0] for names in self.files.values())
        raise UserError(
            f"no {self.title} ({first} and {len(others)} more) in {where}; {self.advice}"
        )

    def read(self, folder: Path) -> dict[str, bytes]:
        """Read and check all files in a folder of `find`, unpacked.

        Raises:
            UserError: naming the file that is missing, damaged or another one, with what to do.
        """
        contents = {}
        for file, (name, *_) in self.files.items():
            path = self._path(folder, file)
            if path is None:
                raise UserError(f"{folder} lacks {name} (or {name}.gz); {self.advice}")
            with oserror_as_user_error("read", path):
                try:
                    contents[file] = self.check_file(path, file)
                except UserError as error:
                    raise UserError(f"{path}: {error}; {self.advice}") from None
        return contents

    def check_file(self, path: Path, file: str) -> bytes:
        """Read what is to be one of `files`, packed or not, and check it by its SHA-256.

        Raises:
            UserError: if it is damaged or another one.
        """
        content = read_packed(path, self.largest)
        if hashlib.sha256(content).hexdigest() != self.digests[file]:
            raise UserError(f"it is damaged or not {self.title}'s {file}: its checksum is another")
        return content

    def _path(self, folder: Path, file: str) -> Path | None:
        paths = (folder / f"{name}{end}" for name in self.files[file] for end in ("", ".gz"))
        return next((path for path in paths if path.is_file()), None)


_RATIO, _SMALL = 32, 1 << 24
"""A text packs to a tenth or so: what unpacks to more than so many times its size, and to more than this, is none."""


def read_packed(path: Path, largest: int | None = None, *, packed: bool = False) -> bytes:
    """Read a plain file, through gzip if it begins as such files do.

    Args:
        path: of the file, or a link to it.
        largest: bytes at most, unpacked; None: what a file of its size can sensibly have.
        packed: whether it must be packed.

    Raises:
        UserError: if it is packed and damaged, or too large.
        OSError: if it cannot be read.
    """
    with open_plain(path, "rb", links=True) as file:
        packed |= file.read(2) == b"\x1f\x8b"
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        most = largest if largest is not None else max(_SMALL, _RATIO * size) if packed else size
        try:
            content = (gzip.GzipFile(fileobj=file) if packed else file).read(most + 1)
        except BROKEN as error:
            raise UserError(f"it is damaged ({error})") from None
    if len(content) > most:
        raise UserError(f"it is too large, more than {most:,} bytes{' unpacked' * packed}")
    return content
