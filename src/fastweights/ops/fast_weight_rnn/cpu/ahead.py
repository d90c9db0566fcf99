"""Memory asked for ahead of its use, behind arithmetic that would otherwise leave the memory idle.

What a step reads and writes beside the history is touched once and comes from far away, and a burst of misses stalls
the core: as many lines as a state has, a few hundred cycles each. Spread over the product with W they cost nothing.
"""

from __future__ import annotations

from typing import Any

from fastweights.kernels.compile import helper
from fastweights.kernels.simd import lane_count, prefetch
from fastweights.ops.fast_weight_rnn.cpu.contract import ROWS, dense_panel, dense_rest


@helper
def dense_ahead(
    packed: Any, x: Any, y: Any, size: int, first: Any, second: Any, third: Any, fourth: Any,
    fifth: Any, stride: int, count: int,
) -> None:  # fmt: skip
    """y += W x as `dense`; asks meanwhile for three states of lines and for `count` batch rows of two tensors.

    The rows lie `stride` scalars apart. Single rows of W, where the panels leave some, ask for nothing.
    """
    lanes = lane_count(x)
    row = 0
    while row + ROWS <= size:
        dense_panel(packed, x, y, row, size)
        for k in range(row * lanes, (row + ROWS) * lanes, lanes):
            prefetch(first, k)
            prefetch(second, k)
            prefetch(third, k)
        for k in range(row, row + count * stride, stride):
            prefetch(fourth, k)
            prefetch(fifth, k)
        row += ROWS
    dense_rest(packed, x, y, row, size)
