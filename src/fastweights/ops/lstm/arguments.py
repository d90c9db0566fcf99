"""The arguments of the LSTM: what is accepted, checked in one place."""

from __future__ import annotations

import torch
from torch import Tensor

from fastweights.errors import UserError
from fastweights.ops.arguments import check_fits, check_floating, check_mask
from fastweights.ops.lstm.options import Inputs

CLASS_TYPES = (torch.int64, torch.int32)


def check(inputs: Inputs, mask: Tensor | None) -> None:
    """Raise `UserError` unless the arguments fit each other; looks at shapes and types, never at numbers in tensors."""
    gates, recurrent_weight, classes, hidden, cell, _ = inputs
    axes = (
        "[batch, time, 4 hidden]"
        if classes is None
        else "[classes, 4 hidden], as classes are given"
    )
    if gates.dim() != (3 if classes is None else 2):
        raise UserError(f"gates has shape {list(gates.shape)}; accepted: {axes}")
    check_floating("gates", gates)
    if gates.shape[-1] == 0 or gates.shape[-1] % 4:
        raise UserError(
            f"gates has {gates.shape[-1]} features; accepted: four for each hidden unit"
        )
    size = gates.shape[-1] // 4
    steps = _steps(gates, classes)
    check_fits("recurrent_weight", recurrent_weight, (4 * size, size), gates, "gates")
    for name, state in (("hidden", hidden), ("cell", cell)):
        if state is not None:
            check_fits(name, state, (steps[0], size), gates, "gates", carried=True)
    check_mask("mask", mask, tuple(steps), like=gates)


def check_classes(classes: Tensor, count: int) -> None:
    """Raise `UserError` for a class that has no row of gates; looks at the numbers, which must lie on the CPU."""
    if not classes.numel():
        return
    least, most = (int(bound) for bound in classes.aminmax())
    if least < 0 or most >= count:
        wrong = least if least < 0 else most
        raise UserError(f"class {wrong} has no row of gates; accepted: 0 to {count - 1}")


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
