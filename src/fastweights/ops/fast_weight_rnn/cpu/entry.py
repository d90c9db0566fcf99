"""The door to the fused processor kernels, which are imported when first asked for: Numba is slow to import."""

from __future__ import annotations

import torch
from torch import Tensor

from fastweights.ops.dispatch import Unavailable
from fastweights.ops.fast_weight_rnn.options import Inputs, Options


def available() -> str | None:
    """Say why the kernels cannot run on this machine; None if they can."""
    try:
        from fastweights.ops.fast_weight_rnn.cpu import run as cpu
    except ImportError as error:
        return str(error)
    return cpu.available()


def supports(tensor: Tensor, **facts: object) -> str | None:
    """Say why the kernels cannot run data like this; None if they can. Half types are computed in float32."""
    from fastweights.ops.fast_weight_rnn.cpu import run as cpu

    if tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.new_empty(0, dtype=torch.float32)
    return cpu.supports(tensor, **facts)


def run(inputs: Inputs, options: Options) -> Tensor:
    """Return h(1) … h(T).

    Raises:
        Unavailable: if a kernel does not compile.
    """
    from fastweights.kernels.compile import CompileError
    from fastweights.ops.fast_weight_rnn.cpu import run as cpu

    try:
        return cpu.run(inputs, options)
    except CompileError as error:
        raise Unavailable(str(error)) from error
