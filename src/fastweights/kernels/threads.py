"""How many threads a parallel kernel takes: as many as torch has been told to, and no race in starting them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_lock = threading.Lock()


def count(tasks: int) -> int:
    """Return the threads that `tasks` independent tasks should run on: torch's setting, Numba's limit, the tasks."""
    wanted = min(torch.get_num_threads(), tasks)
    if wanted <= 1:
        return 1
    from numba.core import config

    settings: Any = config
    return min(wanted, settings.NUMBA_NUM_THREADS)


@contextmanager
def parallel(threads: int) -> Iterator[None]:
    """Run the parallel kernels inside on this many threads.

    One caller at a time: Numba's simplest threading layer ends the process when two Python threads start parallel
    regions at once, and they would only slow each other down on the others.
    """
    import numba

    with _lock:
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            yield
        finally:
            numba.set_num_threads(before)
