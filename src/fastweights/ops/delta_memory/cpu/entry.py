"""The door to the fused processor kernels, which are imported when first asked for: Numba is slow to import."""

from __future__ import annotations

from torch import Tensor

from fastweights.kernels import ready
from fastweights.ops.delta_memory.options import Inputs, Options
from fastweights.ops.dispatch import Unavailable

available = ready.available


def supports(tensor: Tensor, *, gate: str | None = None, **facts: object) -> str | None:
    """Return why the kernels cannot run data or a kind of gate like these; None if they can."""
    if gate not in (None, "norm", "step"):
        return f"its gate is one number a step, not {gate!r}"
    return ready.supports(tensor)


def run(inputs: Inputs, options: Options) -> tuple[Tensor | None, Tensor]:
    """Return what is retrieved, and the memory after the last step.

    Raises:
        Unavailable: if a kernel does not compile.
    """
    from fastweights.kernels.compile import CompileError
    from fastweights.ops.delta_memory.cpu import run as cpu

    try:
        return cpu.run(inputs, options)
    except CompileError as error:
        raise Unavailable(str(error)) from error
