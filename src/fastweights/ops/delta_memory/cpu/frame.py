"""What the kernels' functions share while they run a chunk of one row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastweights.kernels.compile import helper
from fastweights.kernels.record import reader
from fastweights.kernels.simd import offset, pointer
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.delta_memory.cpu.plan import Addresses, Plan
from fastweights.ops.delta_memory.cpu.plan_backward import BackwardPlan

read_plan = reader(Plan._fields)
read_layout = reader(BackwardPlan._fields)
read_addresses = reader(Addresses._fields)


class Frame(NamedTuple):
    """A chunk of the forward.

    Attributes:
        plan, tensors: the layout, and the addresses of the tensors.
        saved, work: the row's share of `saved`, the worker's of the scratch.
        row: the row.
        chunk, first, start, length: its number, its first step in the row and among all steps of all rows, its steps.
        memory, occupied: F₀, and whether it is anything but 0, and then to be read.
        eps: ε of the normalisation of reads; it sets the type.
        unit_eps, query_scale: ε of keys and queries of norm 1, and what queries are multiplied by.
    """

    plan: Record
    tensors: Record
    saved: Pointer
    work: Pointer
    row: int
    chunk: int
    first: int
    start: int
    length: int
    memory: Pointer
    occupied: int
    eps: Real
    unit_eps: Real
    query_scale: Real


class BackwardFrame(NamedTuple):
    """A chunk of the backward: as `Frame`, the layout of the scratch, and whether F̄₀ is wanted."""

    plan: Record
    tensors: Record
    saved: Pointer
    work: Pointer
    row: int
    chunk: int
    first: int
    start: int
    length: int
    memory: Pointer
    occupied: int
    eps: Real
    unit_eps: Real
    query_scale: Real
    layout: Record
    wants_memory: int


@helper
def part(frame: Frame, address: int, size: int) -> Pointer:
    """Where the chunk begins in a tensor of `size` scalars a step."""
    return offset(pointer(address, frame.eps), frame.start * size)


@helper
def strided(frame: Frame, address: int, row_step: int, step: int) -> Pointer:
    """The same in a tensor whose rows and steps lie so many scalars apart."""
    return offset(pointer(address, frame.eps), frame.row * row_step + frame.first * step)


@helper
def mask_part(frame: Frame, address: int) -> Pointer:
    """The same in a tensor of flags."""
    return offset(pointer(address, np.uint8(0)), frame.start)


@helper
def memory_before(
    plan: Record, tensors: Record, saved: Pointer, row: int, chunk: int, like: Real
) -> Pointer:  # fmt: skip
    """Where F at the start of a chunk lies; for the first without an initial memory, nowhere."""
    if chunk > 0:
        return offset(saved, plan.borders + (chunk - 1) * plan.state)
    if plan.padded:
        return offset(saved, plan.initial)
    return offset(pointer(tensors.memory, like), row * plan.state)
