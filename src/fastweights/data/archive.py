"""Archives from anywhere: read without unpacking them to disk, and without believing what they say of themselves."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from fastweights.errors import UserError
from fastweights.io.plain import open_plain

BROKEN = (tarfile.TarError, lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError)
"""What the standard library raises for a damaged archive or a damaged packed file."""

_CHUNK = 1 << 16
_HEADERS = 1 << 22
"""Bytes of all headers, which are 512 each: what extends one is taken into memory, and kept."""
_WHOLE = 1 << 30
"""Bytes of an archive unpacked, most of which are passed over."""
_DICTIONARY = 1 << 28
"""Bytes that xz may take for what it has unpacked (`xz -9`: 65 MB)."""


def read_members(
    path: Path, names: Collection[str], *, largest: int, together: int
) -> dict[str, bytes]:
    """Read plain files of a tar archive, packed by gzip, xz or bzip2, or not.

    Args:
        path: of the archive.
        names: the last two parts of the files' names; nothing else is read.
        largest: bytes that none of them has.
        together: bytes that all of them have at most.

    Raises:
        UserError: if it is damaged, or far larger than such an archive can be.
        OSError: if it cannot be read.
    """
    found: dict[str, bytes] = {}
    with open_plain(path, "rb", links=True) as file:
        stream = _Stream(_unpacked(file))
        try:
            # The stream has all of a file that it asks for, and the list what it has met, with all that is said of it.
            archive = tarfile.TarFile(fileobj=stream)  # pyright: ignore[reportArgumentType]
            while (member := archive.next()) is not None:
                archive.members.clear()  # pyright: ignore[reportAttributeAccessIssue]
                name = "/".join(Path(member.name).parts[-2:])
                if name in names and member.isreg() and not member.issparse():
                    kept = sum(map(len, found.values()))
                    if member.size > min(largest, together - kept):
                        raise UserError(f"{name} is too large")
                    found[name] = stream.content(member.size)
        except UserError:
            raise
        # The library falls in many ways over a header that lies.
        except (*BROKEN, ValueError, OverflowError, RecursionError) as error:
            raise UserError(f"it is damaged ({error})") from None
    return found


class _Stream:
    """The unpacked content of an archive, read once from its beginning to its end, within bounds."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = b""
        self._at = 0
        self._headers = _HEADERS

    def tell(self) -> int:
        """Return how many bytes have been taken."""
        return self._at

    def seek(self, place: int) -> None:
        """Pass over what comes before a place."""
        if place < self._at:
            raise tarfile.ReadError("a header leads back")
        while self._at < place and self._take(min(place - self._at, _CHUNK)):
            pass

    def read(self, size: int) -> bytes:
        """Read a part of a header."""
        self._headers -= abs(size)
        if self._headers < 0:
            raise UserError("its headers are too large")
        return self._exactly(size)

    def content(self, size: int) -> bytes:
        """Read a file, of a size that is known to be possible."""
        content = self._exactly(size)
        if len(content) < size:
            raise EOFError("a file in it is cut short")
        return content

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size > 0 and (part := self._take(min(size, _CHUNK))):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _take(self, size: int) -> bytes:
        """Return up to so many bytes, fewer at the end of a chunk, none at the end of the stream."""
        while not self._buffer:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._buffer = chunk
        part, self._buffer = self._buffer[:size], self._buffer[size:]
        self._at += len(part)
        if self._at > _WHOLE:
            raise UserError(f"it is too large: more than {_WHOLE:,} bytes unpacked")
        return part


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """Unpack a file by how it begins, chunk by chunk."""
    start = file.read(6)
    file.seek(0)
    if start == b"\xfd7zXZ\0":
        return _unpacked_xz(file)
    packed = file
    if start[:2] == b"\x1f\x8b":
        packed = gzip.GzipFile(fileobj=file)
    elif start[:3] == b"BZh":
        packed = bz2.BZ2File(file)
    return iter(lambda: packed.read(_CHUNK), b"")


def _unpacked_xz(file: IO[bytes]) -> Iterator[bytes]:
    decoder = lzma.LZMADecompressor(memlimit=_DICTIONARY)
    while not decoder.eof:
        chunk = file.read(_CHUNK) if decoder.needs_input else b""
        if decoder.needs_input and not chunk:
            raise EOFError("it is cut short")
        yield decoder.decompress(chunk, _CHUNK)
