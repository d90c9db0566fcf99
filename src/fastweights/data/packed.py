"""Files read whole, whether they are packed by gzip or not."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from fastweights.errors import UserError

_BROKEN = (gzip.BadGzipFile, zlib.error, EOFError)


def read(path: Path, largest: int = -1) -> bytes:
    """Read a file, through gzip if it begins as such files do.

    Args:
        path: where it lies.
        largest: bytes to stop after; -1: none.

    Raises:
        UserError: if it is packed and damaged.
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            return gzip.GzipFile(fileobj=file).read(largest) if packed else file.read(largest)
        except _BROKEN as error:
            raise UserError(f"it is damaged ({error})") from None
