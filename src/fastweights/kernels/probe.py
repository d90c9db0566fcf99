"""The smallest kernel there is: whether kernels compile on this machine at all."""

from __future__ import annotations

from fastweights.kernels.compile import kernel


@kernel
def probe() -> int:
    """Return 1."""
    return 1
