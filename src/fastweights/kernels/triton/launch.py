"""How kernels are started: sizes of tiles, precision of products, and launches that are only written down.

Nothing here imports Triton.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fastweights.errors import Unavailable

LEAST_SIDE = 16
"""Of a tile that is multiplied: the compiler's least."""
ALIGNMENT = 32
"""Numbers to whose multiple each part of a buffer begins: 128 bytes of float32, for vectors to be loaded whole."""


class Launch(NamedTuple):
    """One launch, as the compiler must know it.

    Attributes:
        kernel: the entry point.
        grid: how many programs.
        arguments: its tensors and numbers, in order.
        constants: its constants by name.
        warps: per program.
        stages: of software pipelining.
    """

    kernel: Any
    grid: tuple[int, ...]
    arguments: tuple[Tensor | int, ...]
    constants: dict[str, Any]
    warps: int
    stages: int


_recorded: list[Launch] | None = None


@contextmanager
def recording() -> Iterator[list[Launch]]:
    """Write launches down instead of starting them: what a call on tensors of the device "meta" would start."""
    global _recorded
    before, launches = _recorded, []
    _recorded = launches
    try:
        yield launches
    finally:
        _recorded = before


def launch(
    kernel: Any, grid: Sequence[int], *arguments: Any, warps: int = 4, stages: int = 3, **constants: Any
) -> None:  # fmt: skip
    """Start a kernel on the device of its first argument.

    Args:
        kernel: an entry point.
        grid: how many programs, in up to three dimensions.
        arguments: its tensors and numbers, in order.
        warps, stages: per program.
        constants: its constants, by name.

    Raises:
        Unavailable: if it does not compile, or needs more of the device than there is.
    """
    if _recorded is not None:
        _recorded.append(Launch(kernel, tuple(grid), arguments, constants, warps, stages))
        return
    from triton.compiler.errors import CompilationError
    from triton.runtime.errors import OutOfResources, PTXASError

    first = arguments[0]
    assert isinstance(first, Tensor)
    elsewhere = first.is_cuda and first.device.index != torch.cuda.current_device()
    try:
        with torch.cuda.device(first.device) if elsewhere else nullcontext():
            kernel[tuple(grid)](*arguments, num_warps=warps, num_stages=stages, **constants)
    except (CompilationError, OutOfResources, PTXASError) as error:
        reason = str(error).splitlines()[0]
        raise Unavailable(f"{kernel.__name__} does not run: {reason}") from error


def precision(dtype: torch.dtype) -> str:
    """Return how tensor cores multiply: three products of TF32 are as exact as float32, one loses 3 to 5 digits.

    Example:
        >>> precision(torch.float32), precision(torch.float64)
        ('tf32x3', 'ieee')
    """
    return "tf32x3" if dtype == torch.float32 else "ieee"


def side(size: int) -> int:
    """Return the side of a tile that holds `size` numbers and may be multiplied.

    Example:
        >>> side(3), side(16), side(20)
        (16, 16, 32)
    """
    return max(LEAST_SIDE, 1 << (size - 1).bit_length())


def blocks(size: int, block: int) -> int:
    """Return how many blocks hold `size` numbers.

    Example:
        >>> blocks(19, 16)
        2
    """
    return -(-size // block)
