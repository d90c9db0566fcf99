"""The arguments of Metalearned Neural Memory: what is accepted, checked in one place."""

from __future__ import annotations

from fastweights.errors import UserError
from fastweights.ops.arguments import check_fits, check_floating, check_mask
from fastweights.ops.neural_memory.options import Inputs, Learned, Options, State


def check(inputs: Inputs, options: Options) -> None:
    """Raise `UserError` unless the arguments fit each other; looks at shapes and types, never at numbers in tensors."""
    drive, learned, start, state, mask = inputs
    if drive.dim() != 3 or drive.shape[1] == 0:
        raise UserError(
            f"drive has shape {list(drive.shape)}; accepted: [batch, time, 4 hidden], of a step or more"
        )
    check_floating("drive", drive)
    batch, time, gates = drive.shape
    if gates == 0 or gates % 4:
        raise UserError(f"drive has {gates} features; accepted: four for each hidden unit")
    if start.dim() != 3 or 0 in start.shape or start.shape[1] != start.shape[2]:
        raise UserError(f"start has shape {list(start.shape)}; accepted: [layers, size, size]")
    hidden, (layers, size, _) = gates // 4, start.shape
    check_fits("start", start, (layers, size, size), drive, "drive")
    if not isinstance(learned, Learned) or not isinstance(state, State):
        raise UserError(
            f"learned is a {type(learned).__name__}, state a {type(state).__name__}; accepted: a Learned and a State"
        )
    wide = learned.interface_bias.numel()
    if wide < 4 * size or (wide // size - 1) % 3 or wide % size:
        raise UserError(
            f"learned.interface_bias has {wide} features; accepted: (1 + 3 heads) · {size}"
        )
    shapes = (
        (4 * hidden, hidden + size),
        (wide, hidden),
        (wide,),
        (1, size),
        (1,),
        (layers * size, size),
        (layers * size,),
    )
    for name, weight, shape in zip(Learned._fields, learned, shapes, strict=True):
        check_fits(f"learned.{name}", weight, shape, drive, "drive")
    states = ((batch, hidden), (batch, hidden), (batch, size), (batch, layers, size, size))
    for name, tensor, shape in zip(State._fields, state, states, strict=True):
        check_fits(f"state.{name}", tensor, shape, drive, "drive", carried=True)
    check_mask("mask", mask, (batch, time), like=drive)
    outside = [step for step in options.memory_steps if not 0 <= step < time]
    if outside:
        raise UserError(
            f"memory step {outside[0]} is outside the sequence; accepted: 0 to {time - 1}"
        )
