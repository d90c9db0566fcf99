"""The machine that a measurement was made on: what a reader needs to compare it with another."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os

from fastweights.bench.subject import Row
from fastweights.runs import environment


def describe(threads: int = 1) -> Row:
    """Describe processor, instruction set, versions, threads, and measure the peak of fused multiply-adds.

    Args:
        threads: threads that the measurement uses.

    Returns:
        What `runs.environment` says of machine and versions, and `numba`, `isa`, `vector_bytes`, `peak_gflops`
        (float32, of `threads` cores; one is measured), `load_average` (processes that ran in the last minute: a
        measurement beside others says little) and `commit`. What needs Numba is None without it.
    """
    described: Row = {
        **environment.machine(),
        **environment.versions(),
        "commit": environment.commit(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "threads": threads,
        **dict.fromkeys(("numba", "isa", "vector_bytes", "peak_gflops")),
    }
    if importlib.util.find_spec("numba") is not None:
        from fastweights.kernels import isa, peak

        host = isa.host()
        described |= {
            "numba": importlib.metadata.version("numba"),
            "isa": host.name,
            "vector_bytes": host.vector_bytes,
            "peak_gflops": threads * peak.measure_peak(),
        }
    return described
