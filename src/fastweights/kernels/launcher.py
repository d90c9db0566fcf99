"""How compiled kernels are started: on one thread or several, each compiled before it is first needed."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from fastweights.kernels import threads
from fastweights.kernels.isa import host
from fastweights.kernels.layout import Packed

if TYPE_CHECKING:
    from fastweights.kernels.compile import Kernel

REALS = {torch.float32: np.float32, torch.float64: np.float64}


class Entry(NamedTuple):
    """One pass over a sequence, as two kernels of the same arguments.

    They are the addresses of `records` records, the number of workers, then `reals` real numbers of the data's type.

    Attributes:
        serial: runs it on the calling thread.
        parallel: runs it on as many threads as there are workers.
        records: plans, then the addresses of the tensors.
        reals: at least one, which sets the type.
    """

    serial: Kernel
    parallel: Kernel
    records: int
    reals: int


class Passes(NamedTuple):
    """The two passes of an op."""

    forward: Entry
    backward: Entry


@cache
def lanes(dtype: torch.dtype) -> int:
    """Return how many scalars a vector register of this machine holds.

    Example:
        >>> lanes(torch.float32) == 2 * lanes(torch.float64)
        True
    """
    return host().vector_bytes // dtype.itemsize


def warmup(passes: Callable[[], Passes], dtype: torch.dtype) -> None:
    """Compile the kernels of an op ahead, for torch's present number of threads.

    Args:
        passes: imports them: Numba is slow to import.
        dtype: torch.float32 or torch.float64.

    Raises:
        CompileError: if one does not compile on this machine.
    """
    _compile(passes, dtype, threads.count(2) > 1)


@cache
def _compile(passes: Callable[[], Passes], dtype: torch.dtype, several: bool) -> None:
    for entry in passes():
        kernel = entry.parallel if several else entry.serial
        kernel.prepare(*[0] * entry.records, 1, *[REALS[dtype](0)] * entry.reals)


@lru_cache(maxsize=256)
def _reals(dtype: torch.dtype, numbers: tuple[float, ...]) -> tuple[np.floating, ...]:
    """Return numbers in the type of the data."""
    return tuple(REALS[dtype](number) for number in numbers)


def launch(
    entry: Entry,
    plans: tuple[Packed[tuple[int, ...]], ...],
    addresses: array[int],
    workers: int,
    dtype: torch.dtype,
    *numbers: float,
) -> None:
    """Run a pass.

    Args:
        entry: its kernels.
        plans: records of sizes and offsets, in the kernels' order.
        addresses: where the tensors lie, from `layout.addresses_of`.
        workers: threads, from `threads.count`.
        dtype: of the data.
        numbers: what the kernels take as scalars of that type.

    Raises:
        CompileError: at the first call with a type, if a kernel does not compile on this machine.
    """
    starts = (*[plan.address for plan in plans], addresses.buffer_info()[0])
    reals = _reals(dtype, numbers)
    if workers == 1:
        entry.serial(*starts, 1, *reals)
    else:
        with threads.parallel(workers):
            entry.parallel(*starts, workers, *reals)
