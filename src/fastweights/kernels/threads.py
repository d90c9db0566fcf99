"""How many threads a parallel kernel takes: as many as torch has been told to, and no race in starting them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

LAYERS = ["omp", "tbb", "workqueue"]  # OpenMP shares a machine best with torch's own threads

_lock = threading.Lock()
_forked = False


def _after_fork() -> None:
    """A forked child may not start threads of an OpenMP that its parent has used; and its locks are new."""
    global _forked, _lock
    _forked = True
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def count(tasks: int) -> int:
    """Return the threads that `tasks` independent tasks should run on: torch's setting, Numba's limit, the tasks."""
    wanted = min(torch.get_num_threads(), tasks)
    if wanted <= 1 or _forked:
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
    from numba.core import config

    settings: Any = config
    with _lock:
        if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:
            settings.THREADING_LAYER_PRIORITY = LAYERS
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            yield
        finally:
            numba.set_num_threads(before)
