"""Which tensor says what dtype and device a layer computes in, whatever a tool has made of its parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def reference_tensor(layer: nn.Module) -> Tensor:
    """Return a floating tensor of the dtype and on the device that the layer computes in.

    It is a parameter where there is one. A replica of `nn.DataParallel` holds plain tensors in their place; a
    dynamically quantised layer packs them away, computes in float32 and runs on the CPU.

    Example:
        >>> reference_tensor(nn.Linear(2, 3).double()).dtype
        torch.float64
    """
    for parameter in layer.parameters():
        if parameter.is_floating_point():
            return parameter
    for part in layer.modules():
        for held in (*vars(part).values(), *part._buffers.values()):
            if isinstance(held, Tensor) and held.is_floating_point():
                return held
    return torch.empty(0, dtype=torch.float32, device="cpu")
