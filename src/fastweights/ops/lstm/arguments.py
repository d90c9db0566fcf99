"""The arguments of the LSTM: what is accepted, checked in one place."""

from __future__ import annotations

import torch
from torch import Tensor

from fastweights.errors import UserError

CLASS_TYPES = (torch.int64, torch.int32)


def check(
    gates: Tensor,
    recurrent_weight: Tensor,
    *,
    classes: Tensor | None,
    hidden: Tensor | None,
    cell: Tensor | None,
    mask: Tensor | None,
) -> None:
    """Raise `UserError` unless the arguments fit each other; looks at shapes and types, never at numbers in tensors."""
    axes = (
        "[batch, time, 4 hidden]"
        if classes is None
        else "[classes, 4 hidden], as classes are given"
    )
    if gates.dim() != (3 if classes is None else 2):
        raise UserError(f"gates has shape {list(gates.shape)}; accepted: {axes}")
    if not gates.is_floating_point():
        raise UserError(f"gates is {gates.dtype}; accepted: a floating-point type")
    if gates.shape[-1] == 0 or gates.shape[-1] % 4:
        raise UserError(
            f"gates has {gates.shape[-1]} features; accepted: four for each hidden unit"
        )
    size = gates.shape[-1] // 4
    steps = _steps(gates, classes)
    mixed = torch.is_autocast_enabled(gates.device.type)
    _fits("recurrent_weight", recurrent_weight, (4 * size, size), gates, mixed)
    for name, state in (("hidden", hidden), ("cell", cell)):
        if state is not None:
            _fits(name, state, (steps[0], size), gates, mixed)
    if mask is not None and (
        mask.shape != steps or mask.dtype != torch.bool or mask.device != gates.device
    ):
        raise UserError(
            f"mask is {mask.dtype} {list(mask.shape)} on {mask.device}; "
            f"accepted: torch.bool {list(steps)} on {gates.device}"
        )


def _steps(gates: Tensor, classes: Tensor | None) -> torch.Size:
    """Return [batch, time]."""
    if classes is None:
        return gates.shape[:2]
    if classes.dim() != 2 or classes.dtype not in CLASS_TYPES or classes.device != gates.device:
        raise UserError(
            f"classes is {classes.dtype} {list(classes.shape)} on {classes.device}; "
            f"accepted: integers [batch, time] on {gates.device}"
        )
    return classes.shape


def _fits(name: str, tensor: Tensor, shape: tuple[int, ...], gates: Tensor, mixed: bool) -> None:
    if tensor.shape != shape:
        raise UserError(
            f"{name} has shape {list(tensor.shape)}; accepted: {list(shape)}, "
            f"which fits gates of {list(gates.shape)}"
        )
    if tensor.device != gates.device:
        raise UserError(
            f"{name} is on {tensor.device}, gates on {gates.device}; accepted: one device"
        )
    if tensor.dtype != gates.dtype and not (mixed and tensor.is_floating_point()):
        raise UserError(f"{name} is {tensor.dtype}, gates {gates.dtype}; accepted: one type")
