"""MNIST (LeCun, Cortes & Burges 1998): handwritten digits, from the four original files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from fastweights.data import idx
from fastweights.data.file_set import FileSet

_DIGESTS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

FILES = tuple(_DIGESTS)
"""As they are called unpacked; as published each is packed by gzip, its name ending in .gz."""

MNIST = FileSet(
    name="mnist",
    title="MNIST",
    places=("", "mnist", "MNIST/raw", "raw"),  # the last two are torchvision's layout
    files={name: (name,) for name in FILES},
    digests=_DIGESTS,
    largest=1 << 26,  # its largest file has 47 MB
)

find = MNIST.find


class Mnist(NamedTuple):
    """The digits as published; a pixel is 0 (paper) to 255 (ink)."""

    train_images: UInt8[np.ndarray, "train 28 28"]
    train_labels: UInt8[np.ndarray, " train"]
    test_images: UInt8[np.ndarray, "test 28 28"]
    test_labels: UInt8[np.ndarray, " test"]


def read(folder: Path) -> Mnist:
    """Read and check the four files in a folder of `find`.

    Raises:
        UserError: naming the file that is missing, damaged or not MNIST's, with what to do.
    """
    return Mnist(*(idx.parse(content, name) for name, content in MNIST.read(folder).items()))
