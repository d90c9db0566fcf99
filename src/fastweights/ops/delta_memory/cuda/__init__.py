"""The backend for NVIDIA's devices, in Triton: forward and backward written by hand.

`product/` has the memories with two key factors or a norm clamp. Nothing here imports Triton before `run`.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from fastweights.kernels.triton import ready
from fastweights.ops.delta_memory.options import Inputs, Options


def run(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch time value"] | None, Float[Tensor, "batch *keys value"]]:
    """Return what is retrieved at every step, and the memory after the last.

    Raises:
        Unavailable: if a kernel does not compile for the device.
        RuntimeError: from autograd, if a second derivative is asked for.
    """
    from fastweights.ops.delta_memory.cuda.product.run import run

    return run(inputs, options)


def supports(tensor: Tensor, **facts: object) -> str | None:
    """Return in a line why no kernel runs on data like this; None if one does.

    Example:
        >>> import torch
        >>> supports(torch.zeros(1, device="meta"))
        'the tensors are on meta'
    """
    return ready.supports(tensor) or "no kernel is written yet"
