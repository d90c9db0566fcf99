"""What `import fastweights` costs a program that imports torch anyway."""

from __future__ import annotations

import statistics
import subprocess
import sys

from fastweights.bench.subject import Bench, Progress, Row, Rows, Table, silent
from fastweights.errors import check_at_least

LIMIT = 0.2
"""Seconds that the import may add."""

_SCRIPT = """
import time
start = time.perf_counter()
import torch
between = time.perf_counter()
import fastweights
print(between - start, time.perf_counter() - between)
"""


def run(*, threads: int = 1, repeats: int = 5, progress: Progress = silent) -> list[Row]:
    """Import torch and then fastweights in fresh interpreters, and take medians.

    Args:
        threads, progress: as of every `Bench.run`; this one needs neither.
        repeats: interpreters started, after one that warms the disk's cache.

    Returns:
        One row: `torch_seconds`, `added_seconds` (what fastweights adds), `limit_seconds`, `reached`, `repeats`.

    Raises:
        UserError: if `repeats` is below 1.
    """
    check_at_least(1, repeats=repeats)
    torch_seconds, added = zip(*(_once() for _ in range(repeats + 1)), strict=True)
    median = statistics.median(added[1:])
    return [
        {
            "benchmark": "import",
            "torch_seconds": statistics.median(torch_seconds[1:]),
            "added_seconds": median,
            "limit_seconds": LIMIT,
            "reached": median <= LIMIT,
            "repeats": repeats,
        }
    ]


def _once() -> tuple[float, float]:
    command = [sys.executable, "-c", _SCRIPT]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    torch_seconds, added = printed.split()
    return float(torch_seconds), float(added)


def table(rows: Rows) -> Table:
    """Lay out the rows of `run`.

    Example:
        >>> table([{"torch_seconds": 1.5, "added_seconds": 0.1, "limit_seconds": 0.2}])
        (['import torch, s', 'fastweights adds, s', 'limit, s'], [['1.50', '0.10', '0.20']])
    """
    keys = ("torch_seconds", "added_seconds", "limit_seconds")
    columns = ["import torch, s", "fastweights adds, s", "limit, s"]
    return columns, [[f"{row[key]:.2f}" for key in keys] for row in rows]


BENCH = Bench("import", "what `import fastweights` adds to `import torch`.", run, table, repeats=5)
