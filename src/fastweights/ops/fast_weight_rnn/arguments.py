"""The arguments of the fast-weights RNN: what is accepted, checked in one place."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fastweights.errors import UserError, check_choice
from fastweights.ops.arguments import (
    check_chunk,
    check_count,
    check_fits,
    check_floating,
    check_mask,
    check_norm_eps,
)
from fastweights.ops.fast_weight_rnn.options import Inputs, Options

NONLINEARITIES = {"relu": torch.relu, "tanh": torch.tanh}
FORMS = ("inner", "flat")


def check(inputs: Inputs, options: Options, mask: Tensor | None) -> None:
    """Raise `UserError` unless the arguments fit each other; looks at shapes and types, never at numbers in tensors."""
    drive, recurrent_weight, decay, rate, *norms, hidden, memory, _ = inputs
    if drive.dim() != 3:
        raise UserError(f"drive has shape {list(drive.shape)}; accepted: [batch, time, hidden]")
    batch, time, size = drive.shape
    check_floating("drive", drive)
    if size == 0:
        raise UserError("drive has no hidden units; accepted: 1 or more")
    check_fits("recurrent_weight", recurrent_weight, (size, size), drive, "drive")
    for name, weight, bias in (("norm", *norms[:2]), ("preliminary_norm", *norms[2:])):
        if weight is not None and bias is not None:
            check_fits(f"{name}_weight", weight, (size,), drive, "drive")
            check_fits(f"{name}_bias", bias, (size,), drive, "drive")
        elif weight is not None or bias is not None:
            raise UserError(f"{name}_weight and {name}_bias come together; one of them is None")
    if hidden is not None:
        check_fits("hidden", hidden, (batch, size), drive, "drive", carried=True)
    if memory is not None:
        check_fits("memory", memory, (batch, size, size), drive, "drive", carried=True)
    _scalar("decay", decay)
    _scalar("rate", rate)
    check_count("inner_steps", options.inner_steps)
    check_choice("nonlinearity", options.nonlinearity, NONLINEARITIES)
    check_choice("form", options.form, FORMS)
    if options.form == "flat" and (options.inner_steps != 1 or norms[2] is not None):
        raise UserError(
            "form 'flat' has one nonlinearity a step: inner_steps is 1 and there is no preliminary norm"
        )
    check_norm_eps(options.norm_eps)
    check_chunk(options.chunk)
    check_mask("mask", mask, (batch, time), like=drive)


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
