"""The smallest kernel that takes of Numba what all take: whether kernels compile on this machine at all."""

from __future__ import annotations

import numpy as np

from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.layout import pack
from fastweights.kernels.record import reader
from fastweights.kernels.simd import load, pointer, total
from fastweights.kernels.types import Pointer, Real

_read = reader(("numbers",))


@helper
def _sum(numbers: Pointer) -> Real:
    return total(load(numbers, 0))


@kernel
def _probe(record_at: int, like: Real) -> Real:
    """Sum up one vector."""
    return _sum(pointer(_read(record_at).numbers, like))


def probe() -> float:
    """Return the sum of a vector of zeros, computed by a kernel."""
    numbers = np.zeros(64)
    record = pack((numbers.ctypes.data,))  # kept until the kernel has read it
    return _probe(record.address, np.float64(0))
