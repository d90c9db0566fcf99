"""MNIST (LeCun, Cortes & Burges 1998): handwritten digits, from the four original files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from fastweights.data import idx, packed
from fastweights.errors import UserError
from fastweights.io.cache import VARIABLE, data_root

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""As they are called unpacked; as published each is packed by gzip, its name ending in .gz."""

PLACES = ("", "mnist", "MNIST/raw", "raw")
"""Where the files may lie below a folder: themselves, in `mnist`, or in torchvision's layout."""

ADVICE = "fetch it with `fastweights data get mnist`, or name its folder with --data-dir"
_LARGEST = 1 << 26
"""Bytes of the largest file that can be one of these (its largest has 47 MB)."""

_DIGESTS = {
    FILES[0]: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    FILES[1]: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    FILES[2]: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    FILES[3]: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class Mnist(NamedTuple):
    """The digits as published; a pixel is 0 (paper) to 255 (ink)."""

    train_images: UInt8[np.ndarray, "train 28 28"]
    train_labels: UInt8[np.ndarray, " train"]
    test_images: UInt8[np.ndarray, "test 28 28"]
    test_labels: UInt8[np.ndarray, " test"]


def find(data_dir: str | Path | None = None) -> Path:
    """Find the folder that holds the files.

    Args:
        data_dir: that folder, or one that holds it as `mnist`, `raw` or `MNIST/raw`. None: `io.cache.data_root()`.

    Raises:
        UserError: if there is none, with what to do.
    """
    given = Path(data_dir).expanduser() if data_dir is not None else data_root()
    if given.is_file():
        raise UserError(f"{given} is a file; --data-dir names the folder that MNIST's files lie in")
    for place in PLACES:
        if any(_path(given / place, name) for name in FILES):
            return given / place
    where = given if data_dir is not None else f"{given} (set {VARIABLE} to look elsewhere)"
    raise UserError(f"no MNIST ({FILES[0]}.gz and three more) in {where}; {ADVICE}")


def read(folder: Path) -> Mnist:
    """Read and check the four files.

    Args:
        folder: of `find`.

    Raises:
        UserError: naming the file that is missing, damaged or not MNIST's, with what to do.
    """
    return Mnist(*(idx.parse(_checked(folder, name), name) for name in FILES))


def check_file(path: Path, name: str) -> bytes:
    """Read one of the files, packed or not, and check what is in it by its SHA-256.

    Args:
        path: where it lies.
        name: one of `FILES`, which it is to be.

    Raises:
        UserError: if it is damaged or another one.
    """
    content = packed.read(path, _LARGEST)
    if len(content) == _LARGEST:
        raise UserError("it is too large to be a file of MNIST")
    if hashlib.sha256(content).hexdigest() != published_digests()[name]:
        raise UserError(f"it is damaged or not MNIST's {name}: its checksum is another")
    return content


def _checked(folder: Path, name: str) -> bytes:
    path = _path(folder, name)
    if path is None:
        raise UserError(f"{folder} lacks {name} (or {name}.gz); {ADVICE}")
    try:
        return check_file(path, name)
    except UserError as error:
        raise UserError(f"{path}: {error}; {ADVICE}") from None


def published_digests() -> dict[str, str]:
    """Give the SHA-256 of what is in each file, unpacked: it is the same however a copy was packed."""
    return dict(_DIGESTS)


def _path(folder: Path, name: str) -> Path | None:
    """The file itself or packed, the first of them that is there."""
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
