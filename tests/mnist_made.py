"""A small set of MNIST's form, with digits drawn here: for tests that need no data."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np

from fastweights.data.mnist import FILES

STROKES = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
"""The segments of each digit on a display: a above, b and c right, d below, e and f left, g across."""

PLACES = {
    "a": (slice(4, 7), slice(8, 20)),
    "b": (slice(4, 14), slice(17, 20)),
    "c": (slice(13, 24), slice(17, 20)),
    "d": (slice(21, 24), slice(8, 20)),
    "e": (slice(13, 24), slice(8, 11)),
    "f": (slice(4, 14), slice(8, 11)),
    "g": (slice(12, 15), slice(8, 20)),
}


def make_mnist(folder: Path, train: int = 240, test: int = 40, *, seed: int = 0) -> Path:
    """Write the four files, packed, and return their folder."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for name, content in files(random, train, test).items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    return folder


def files(random: np.random.Generator, train: int, test: int) -> dict[str, bytes]:
    """Draw digits in turn, each moved and faded a little, as the four files unpacked."""
    contents = []
    for count in (train, test):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = np.zeros((count, 28, 28), np.uint8)
        for image, label in zip(images, labels, strict=True):
            for stroke in STROKES[label]:
                image[PLACES[stroke]] = random.integers(120, 256)
            image[:] = np.roll(image, random.integers(-2, 3, 2), (0, 1))
        contents += [idx(images), idx(labels)]
    return dict(zip(FILES, contents, strict=True))


def idx(array: np.ndarray) -> bytes:
    """Write an array of bytes as an idx file."""
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def digests(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of what is in each of the files."""
    return {
        name: hashlib.sha256(gzip.decompress((folder / f"{name}.gz").read_bytes())).hexdigest()
        for name in FILES
    }
