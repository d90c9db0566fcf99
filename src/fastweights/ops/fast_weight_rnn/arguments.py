"""The arguments of the fast-weights RNN: what is accepted, checked in one place."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fastweights.errors import UserError, unknown

NONLINEARITIES = {"relu": torch.relu, "tanh": torch.tanh}
FORMS = ("inner", "flat")


def check(
    drive: Tensor,
    recurrent_weight: Tensor,
    *,
    decay: float | Tensor,
    rate: float | Tensor,
    norm_weight: Tensor | None,
    norm_bias: Tensor | None,
    preliminary_norm_weight: Tensor | None,
    preliminary_norm_bias: Tensor | None,
    hidden: Tensor | None,
    memory: Tensor | None,
    inner_steps: int,
    nonlinearity: str,
    form: str,
    norm_eps: float,
    mask: Tensor | None,
    chunk: int | None,
) -> None:
    """Raise `UserError` unless the arguments fit each other; looks at shapes and types, never at numbers in tensors."""
    if drive.dim() != 3:
        raise UserError(f"drive has shape {list(drive.shape)}; accepted: [batch, time, hidden]")
    batch, time, size = drive.shape
    if not drive.is_floating_point():
        raise UserError(f"drive is {drive.dtype}; accepted: a floating-point type")
    if size == 0:
        raise UserError("drive has no hidden units; accepted: 1 or more")
    mixed = torch.is_autocast_enabled(drive.device.type)
    _fits("recurrent_weight", recurrent_weight, (size, size), drive, mixed)
    for name, weight, bias in (
        ("norm", norm_weight, norm_bias),
        ("preliminary_norm", preliminary_norm_weight, preliminary_norm_bias),
    ):
        if weight is not None and bias is not None:
            _fits(f"{name}_weight", weight, (size,), drive, mixed)
            _fits(f"{name}_bias", bias, (size,), drive, mixed)
        elif weight is not None or bias is not None:
            raise UserError(f"{name}_weight and {name}_bias come together; one of them is None")
    if hidden is not None:
        _fits("hidden", hidden, (batch, size), drive, mixed)
    if memory is not None:
        _fits("memory", memory, (batch, size, size), drive, mixed)
    _scalar("decay", decay)
    _scalar("rate", rate)
    if isinstance(inner_steps, bool) or not isinstance(inner_steps, int) or inner_steps < 1:
        raise UserError(f"inner_steps is {inner_steps!r}; accepted: a whole number, 1 or more")
    if nonlinearity not in NONLINEARITIES:
        raise unknown("nonlinearity", str(nonlinearity), NONLINEARITIES)
    if form not in FORMS:
        raise unknown("form", str(form), FORMS)
    if form == "flat" and (inner_steps != 1 or preliminary_norm_weight is not None):
        raise UserError(
            "form 'flat' has one nonlinearity a step: inner_steps is 1 and there is no preliminary norm"
        )
    if not norm_eps > 0:
        raise UserError(f"norm_eps is {norm_eps!r}; accepted: more than 0")
    if chunk is not None and (isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1):
        raise UserError(f"chunk is {chunk!r}; accepted: a whole number, 1 or more, or None")
    if mask is not None:
        _mask(mask, drive, batch, time)


def _fits(name: str, tensor: Tensor, shape: tuple[int, ...], drive: Tensor, mixed: bool) -> None:
    if tensor.shape != shape:
        raise UserError(
            f"{name} has shape {list(tensor.shape)}; accepted: {list(shape)}, "
            f"which fits a drive of {list(drive.shape)}"
        )
    if tensor.device != drive.device:
        raise UserError(
            f"{name} is on {tensor.device}, drive on {drive.device}; accepted: one device"
        )
    if tensor.dtype != drive.dtype and not (mixed and tensor.is_floating_point()):
        raise UserError(f"{name} is {tensor.dtype}, drive {drive.dtype}; accepted: one type")


def _scalar(name: str, value: float | Tensor) -> None:
    if isinstance(value, Tensor):
        if value.dim() != 0 or not value.is_floating_point():
            raise UserError(
                f"{name} is a {value.dtype} tensor of shape {list(value.shape)}; "
                "accepted: a number or a floating-point tensor of no dimensions"
            )
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{name} is a {type(value).__name__}; accepted: a number or a tensor")
    elif not math.isfinite(value):
        raise UserError(f"{name} is {value}; accepted: a finite number")


def _mask(mask: Tensor, drive: Tensor, batch: int, time: int) -> None:
    if mask.shape != (batch, time) or mask.dtype != torch.bool or mask.device != drive.device:
        raise UserError(
            f"mask is {mask.dtype} {list(mask.shape)} on {mask.device}; "
            f"accepted: torch.bool {[batch, time]} on {drive.device}"
        )
