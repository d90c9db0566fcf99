"""The idx format of MNIST's files: a header that says the kind of number and the shape, then the numbers."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Shaped

from fastweights.errors import UserError

KINDS = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""What the third byte says: bytes without and with a sign, integers of 2 and 4 bytes, floats; high byte first."""


def parse(content: bytes, name: str) -> Shaped[np.ndarray, "*shape"]:
    r"""Turn an idx file into an array.

    Args:
        content: two zero bytes, one for the kind of number, one for how many dimensions there are, each dimension as
            four bytes, high byte first; then the numbers, the last dimension changing fastest.
        name: of the file, for the message.

    Raises:
        UserError: naming the first thing that is not so.

    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits", file formats.

    Example:
        >>> parse(b"\0\0\x08\x02" + b"\0\0\0\x02" + b"\0\0\0\x03" + bytes(range(6)), "six").tolist()
        [[0, 1, 2], [3, 4, 5]]
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise UserError(f"{name} is no idx file: it begins with {content[:4].hex() or 'nothing'}")
    kind, dimensions = content[2], content[3]
    if kind not in KINDS:
        accepted = ", ".join(f"{code:#04x}" for code in KINDS)
        raise UserError(f"{name}: unknown kind of number {kind:#04x}; accepted: {accepted}")
    start = 4 + 4 * dimensions
    if dimensions == 0 or len(content) < start:
        raise UserError(f"{name}: the header of {dimensions} dimensions is not whole")
    shape = tuple(np.frombuffer(content, ">u4", dimensions, 4).tolist())
    dtype = np.dtype(KINDS[kind])
    expected = start + dtype.itemsize * math.prod(shape)
    if len(content) != expected:
        size = " × ".join(map(str, shape))
        raise UserError(f"{name}: {size} numbers make {expected} bytes, not {len(content)}")
    numbers = np.frombuffer(content, dtype, offset=start)
    try:
        return numbers.reshape(shape).astype(dtype.newbyteorder("="), copy=False)
    except ValueError as error:  # an empty array, of a shape that no array can have
        raise UserError(f"{name}: no array has the shape in its header ({error})") from None
