"""Whether a tensor's numbers lie at its address: kernels read memory behind torch's back."""

from __future__ import annotations

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor

from fastweights.errors import UserError

PLAIN = (Tensor, torch.nn.Parameter)
TRACED = (FakeTensor, FunctionalTensor)
"""Stand in for plain tensors while a call is recorded, when no address is taken."""


def obstacle(tensor: Tensor, recorded: bool = False) -> str | None:
    """Return in a line why kernels cannot read a tensor's memory; None if they can.

    A tensor of another class may hold its numbers anywhere, or none (`DTensor`, quantised weights, fake tensors).

    Args:
        tensor: any.
        recorded: whether the call is only written down, with tensors that stand in for plain ones.

    Example:
        >>> obstacle(torch.zeros(2)), obstacle(torch.zeros(2).to_sparse())
        (None, 'a tensor is torch.sparse_coo; accepted: dense tensors')
    """
    kind = type(tensor)
    if kind in PLAIN and tensor.layout is torch.strided:
        return None
    if kind not in PLAIN and not (recorded and kind in TRACED):
        return f"a tensor is a {kind.__name__}; accepted: torch.Tensor and torch.nn.Parameter"
    if tensor.layout is not torch.strided:
        return f"a tensor is {tensor.layout}; accepted: dense tensors"
    return None


def dispatch_tensor(op: str, tensors: list[Tensor], recorded: bool) -> Tensor:
    """Return the tensor that decides which backend can run: the first that kernels cannot read, or the first of all.

    Raises:
        UserError: for a sparse tensor, on which no backend runs.
    """
    for tensor in tensors:
        if (
            type(tensor) in PLAIN and tensor.layout is torch.strided
        ):  # as `obstacle` does: a call less
            continue
        reason = obstacle(tensor, recorded)
        if reason is not None:
            if tensor.layout is not torch.strided:
                raise UserError(f"{op}: {reason}")
            return tensor
    return tensors[0]
