"""What `import fastweights` costs a program that imports torch anyway."""

from __future__ import annotations

import statistics
import subprocess
import sys
from typing import Any

from fastweights.errors import UserError

LIMIT = 0.3
"""Seconds that the import may add."""

_SCRIPT = """
import time
start = time.perf_counter()
import torch
between = time.perf_counter()
import fastweights
print(between - start, time.perf_counter() - between)
"""


def run(repeats: int = 5) -> list[dict[str, Any]]:
    """Import torch and then fastweights in fresh interpreters, and take medians.

    Args:
        repeats: interpreters started, after one that warms the disk's cache.

    Returns:
        One row: `torch_seconds`, `added_seconds` (what fastweights adds), `limit_seconds`, `reached`, `repeats`.

    Raises:
        UserError: if `repeats` is below 1.
    """
    if repeats < 1:
        raise UserError(f"repeats must be at least 1, not {repeats}")
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
