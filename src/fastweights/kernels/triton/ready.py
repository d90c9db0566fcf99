"""Whether Triton's kernels can run here, and on what: asked before anything imports Triton."""

from __future__ import annotations

import importlib.metadata
import os
from functools import cache

import torch
from torch import Tensor

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""Whether Triton's interpreter runs the kernels, on tensors of the processor: slow, for tests alone."""
DEVICE = "cpu" if INTERPRETED else "cuda"
"""The type of device whose memory the kernels read."""
KNOWN = ((3, 5), (3, 7))
"""The first and the last minor version of Triton that the kernels are tried with."""
CHECKED: frozenset[tuple[int, int]] = frozenset()
"""Compute capabilities of the devices on which `scripts/on_gpu.py` has found every kernel right: none so far."""
LEAST_CAPABILITY = (8, 0)
"""Of a device with tensor cores for TF32."""
DTYPES = (torch.float32, torch.float64)
NO_TRITON = "Triton is not installed"
UNCHECKED = "no kernel has been checked on a device of compute capability"
HALF = (torch.float16, torch.bfloat16)


@cache
def available() -> str | None:
    """Return in a line why the kernels cannot run on this machine; None if they can."""
    if not INTERPRETED and not torch.cuda.is_available():
        return "there is no CUDA device"
    if torch.version.hip is not None:
        return "the device is AMD's, for which no kernel has been tried"
    return missing()


def missing() -> str | None:
    """Return in a line why Triton itself cannot be used; None if it can."""
    try:
        version = importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError:
        return f"{NO_TRITON}: pip install 'fastweights[cuda]' (Linux)"
    (first, last), digits = KNOWN, version.split(".")
    if not (digits[1:] and first <= (int(digits[0]), int(digits[1])) <= last):
        return f"Triton {version} is not known; accepted: {_dotted(first)} to {_dotted(last)}"
    return None


def supports(tensor: Tensor, **facts: object) -> str | None:
    """Return in a line why no kernel runs on data like this; None if one may. Half types are computed in float32.

    Example:
        >>> supports(torch.zeros(1, dtype=torch.int64, device="meta"))
        'the tensors are on meta'
    """
    if tensor.device.type != DEVICE:
        return f"the tensors are on {tensor.device}"
    if tensor.dtype not in (*DTYPES, *HALF):
        return f"the tensors are {tensor.dtype}; accepted: torch.float32, torch.float64"
    if not INTERPRETED:
        capability = torch.cuda.get_device_capability(tensor.device)
        if capability < LEAST_CAPABILITY:
            return (
                f"the device has compute capability {_dotted(capability)}; "
                f"accepted: {_dotted(LEAST_CAPABILITY)} or higher"
            )
    return None


def unchecked(tensor: Tensor) -> str | None:
    """Return in a line why "auto" is to pass the kernels over, which run if asked for by name; None if it is not."""
    if INTERPRETED:
        return "the interpreter is for tests"
    capability = torch.cuda.get_device_capability(tensor.device)
    if capability in CHECKED:
        return None
    return f"{UNCHECKED} {_dotted(capability)} (docs/gpu.md)"


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
