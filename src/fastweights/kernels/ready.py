"""Whether kernels can run here, and on what: asked before anything imports Numba."""

from __future__ import annotations

import importlib.util
from functools import cache

import torch
from torch import Tensor

DTYPES = (torch.float32, torch.float64)
HALF = (torch.float16, torch.bfloat16)
NO_NUMBA = "Numba is not installed"


def available() -> str | None:
    """Return in a line why kernels cannot be compiled here, or which one did not compile; None if they can."""
    reason = _probe()
    if reason is None:
        from fastweights.kernels.compile import failures

        reason = next(iter(failures), None)
    return reason


@cache
def _probe() -> str | None:
    if importlib.util.find_spec("numba") is None:
        return NO_NUMBA
    try:
        from fastweights.kernels.probe import probe

        probe()
    except Exception as error:  # a compiler breaks in many ways; without it the library still works
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def supports(tensor: Tensor, **facts: object) -> str | None:
    """Return in a line why kernels cannot run data like this; None if they can. Half types are computed in float32.

    Example:
        >>> supports(torch.zeros(1, dtype=torch.int64))
        'the tensors are torch.int64; accepted: torch.float32, torch.float64'
    """
    if tensor.device.type != "cpu":
        return f"the tensors are on {tensor.device}"
    if tensor.dtype not in (*DTYPES, *HALF):
        return f"the tensors are {tensor.dtype}; accepted: torch.float32, torch.float64"
    return None
