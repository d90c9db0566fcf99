"""The backend for NVIDIA's devices, in Triton: forward and backward written by hand.

`product/` has the memories with two key factors or a norm clamp. Nothing here imports Triton before `run`.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from fastweights.kernels.triton import ready
from fastweights.ops.delta_memory.cuda.product.plan import LARGEST
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
    return ready.supports(tensor) or _refusal(**facts)


def _refusal(
    *,
    key_sizes: tuple[int, ...] = (),
    gate: str | None = None,
    combine: str = "product",
    **facts: object,
) -> str | None:
    if len(key_sizes) == 2 and combine == "concat":
        return "keys are concatenated; accepted: a product of keys"
    if gate not in (None, "norm"):
        return "a gate is given; accepted: none, or 'norm'"
    if max(key_sizes, default=0) > LARGEST:
        return f"keys have {max(key_sizes)} features; accepted: up to {LARGEST}"
    return None
