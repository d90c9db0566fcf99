"""When two results must have equal bits, and when they are equal but for rounding."""

from __future__ import annotations

from typing import Any

import torch


def assert_equal_but_for_rounding(found: Any, expected: Any) -> None:
    """Compare what one computation gives in two ways, by `torch.testing`'s tolerances for the dtype.

    `torch.equal` is for the same call with the same shapes, for moved or stored data, and where our own kernels promise
    bits. A BLAS promises none across shapes, strides or batch sizes: these, and the processor, choose the order of its
    sums.
    """
    torch.testing.assert_close(found, expected)
