"""Whether a call runs on numbers or is being traced, compiled or transformed, when there are none to look at."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode


def recorded() -> bool:
    """Say whether the call is written down to be run again, as `torch.compile` and `torch.jit.trace` do.

    What reads memory behind torch's back must then be called as a registered operator.

    Example:
        >>> recorded()
        False
    """
    return (
        torch.compiler.is_compiling()
        or _get_current_dispatch_mode() is not None
        or torch._C._is_tracing()
    )


def traced() -> bool:
    """Say whether something stands between the call and its numbers: `torch.compile`, a fake tensor, `torch.func`.

    Example:
        >>> traced()
        False
    """
    return recorded() or transformed()


def transformed() -> bool:
    """Say whether `torch.func` or `torch.vmap` transforms the call.

    Example:
        >>> transformed()
        False
    """
    return torch._C._are_functorch_transforms_active()


def may_look(tensor: Tensor) -> bool:
    """Say whether Python may decide by a tensor's numbers, neither breaking a trace nor waiting for an accelerator.

    Example:
        >>> may_look(torch.zeros(1)), may_look(torch.zeros(1, device="meta"))
        (True, False)
    """
    return tensor.device.type == "cpu" and not traced()
