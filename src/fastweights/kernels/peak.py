"""What one core can do at most: fused multiply-adds on registers alone, nothing loaded, nothing stored."""

from __future__ import annotations

import time
from typing import Any

from fastweights.kernels.blocks import fma_rows, store_rows, zeros
from fastweights.kernels.compile import kernel
from fastweights.kernels.isa import host
from fastweights.kernels.simd import lane_count, load, pointer

CHAINS = host().rows + 4  # independent sums: enough to hide the latency of any core


@kernel
def _multiply_add(address: int, rounds: int, like: Any) -> int:
    """Run `rounds` rounds of CHAINS multiply-adds; returns the number of lanes."""
    numbers = pointer(address, like)
    lanes = lane_count(numbers)
    sums = zeros(numbers, CHAINS)
    factors = zeros(numbers, CHAINS)
    x = load(numbers, 0)
    for _ in range(rounds):
        sums = fma_rows(factors, sums, x)
    store_rows(sums, numbers, lanes, lanes)
    return lanes


def measure_peak(seconds: float = 0.2) -> float:
    """Measure the float32 multiply-add peak of one core.

    Args:
        seconds: how long to measure, in slices of which the best counts: others may be using the machine.

    Returns:
        GFLOP/s, a multiply-add being two operations.

    Example:
        >>> measure_peak(0.01) > 0.01
        True
    """
    import numpy as np

    numbers = np.zeros((CHAINS + 1) * 16, np.float32)
    arguments = (numbers.ctypes.data, 20_000, np.float32(0))
    lanes = _multiply_add(*arguments)
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        _multiply_add(*arguments)
        best = min(best, time.perf_counter() - start)
    return 2 * lanes * CHAINS * 20_000 / best / 1e9
