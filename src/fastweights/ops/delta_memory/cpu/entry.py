"""The door to the fused processor kernels, which are imported when first asked for: Numba is slow to import."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from fastweights.kernels import ready
from fastweights.ops.delta_memory import reference
from fastweights.ops.dispatch import Unavailable

available, supports = ready.available, ready.supports


def run(
    keys: tuple[Tensor, ...], values: Tensor, strength: Tensor, **options: Any
) -> tuple[Tensor | None, Tensor]:
    """Return what is retrieved, and the memory after the last step; arguments as `reference.run`'s.

    Raises:
        Unavailable: if a kernel does not compile.
    """
    from fastweights.kernels.compile import CompileError
    from fastweights.ops.delta_memory.cpu import run as cpu

    if values.shape[1] == 0:
        return reference.run(keys, values, strength, **options)
    try:
        return cpu.run(keys, values, strength, **options)
    except CompileError as error:
        raise Unavailable(str(error)) from error
