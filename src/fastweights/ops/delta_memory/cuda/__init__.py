"""The backend for NVIDIA's devices, in Triton: forward and backward written by hand.

`product/` has the memories with two key factors or a norm clamp, `vector/` those with one key and any decay, a number a
step or for each feature of the key; keys that are concatenated belong there. Nothing here imports Triton before `run`.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from fastweights.kernels.triton import ready
from fastweights.ops.delta_memory.cuda.product.plan import LARGEST
from fastweights.ops.delta_memory.options import Inputs, Options

LARGEST_VECTOR = 128
"""Features of a key over which a program holds F."""


def run(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch time value"] | None, Float[Tensor, "batch *keys value"]]:
    """Return what is retrieved at every step, and the memory after the last.

    Raises:
        Unavailable: if a kernel does not compile for the device.
        RuntimeError: from autograd, if a second derivative is asked for.
    """
    if not options.clamp and (len(inputs.keys) == 1 or options.combine == "concat"):
        from fastweights.ops.delta_memory.cuda.vector.run import run
    else:
        from fastweights.ops.delta_memory.cuda.product.run import run
    return run(inputs, options)


def supports(
    tensor: Tensor,
    *,
    key_sizes: tuple[int, ...] = (),
    value_size: int = 0,
    reads: int = 0,
    gate: str | None = None,
    combine: str = "product",
    **facts: object,
) -> str | None:
    """Return in a line why no kernel runs on data like this; None if one does.

    Example:
        >>> import torch
        >>> supports(torch.zeros(1, device="meta"))
        'the tensors are on meta'
    """
    reason = ready.supports(tensor)
    if reason is not None:
        return reason
    two = len(key_sizes) == 2
    if two and combine == "concat" and (gate == "norm" or reads > 1):
        return "keys are concatenated; accepted: without a clamp, and one read"
    if facts.get("momentum"):
        return "there are no kernels for momentum; 'chunked' has it"
    if gate == "step" and two and combine == "product":
        return "a gate is given; accepted of a product of keys: none, or 'norm'"
    vector = gate != "norm" and not (two and combine == "product")
    size, most = (
        (sum(key_sizes), LARGEST_VECTOR) if vector else (max(key_sizes, default=0), LARGEST)
    )
    if not vector and value_size > LARGEST:
        return f"values have {value_size} features; accepted: up to {LARGEST}"
    return f"keys have {size} features; accepted: up to {most}" if size > most else None
