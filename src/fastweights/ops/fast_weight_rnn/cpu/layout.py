"""Between tensors (batch first) and lines (batch rows as vector lanes)."""

from __future__ import annotations

from typing import NamedTuple

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.record import reader
from fastweights.kernels.simd import at, lane_count, offset, pointer, put, store
from fastweights.kernels.transpose import transpose_back, transpose_tile
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.fast_weight_rnn.cpu.plan import Addresses, BackwardPlan, Plan

read_plan = reader(Plan._fields)
read_layout = reader(BackwardPlan._fields)
read_addresses = reader(Addresses._fields)


@helper
def to_lines(
    rows: Pointer, stride: int, count: int, spare: Pointer, lines: Pointer, size: int
) -> None:  # fmt: skip
    """lines[k] = element k of each of `count` rows, `stride` scalars apart; other lanes 0 (`spare` holds zeros)."""
    lanes = lane_count(rows)
    if size >= lanes:
        for k in range(0, size, lanes):
            first = min(k, size - lanes)
            transpose_tile(rows, first, stride, count, spare, lines, first * lanes, lanes)
        return
    zero = zeros(rows, 1)[0]
    for k in range(size):
        store(lines, k * lanes, zero)
        for row in range(count):
            put(lines, k * lanes + row, at(rows, row * stride + k))


@helper
def from_lines(
    lines: Pointer, rows: Pointer, stride: int, count: int, spare: Pointer, size: int
) -> None:  # fmt: skip
    """The inverse of `to_lines`; what the lanes past `count` hold is dropped into `spare`."""
    lanes = lane_count(rows)
    if size >= lanes:
        for k in range(0, size, lanes):
            first = min(k, size - lanes)
            transpose_back(lines, first * lanes, lanes, rows, first, stride, count, spare)
        return
    for k in range(size):
        for row in range(count):
            put(rows, row * stride + k, at(lines, k * lanes + row))


class Frame(NamedTuple):
    """What the functions of the backward share while they run one row block.

    Attributes:
        plan, layout, tensors: the layouts, and the addresses of the tensors.
        saved, block: the row block's share of `saved`, and of the scratch.
        work: the worker's share of the scratch.
        number: of the row block.
        decay, rate: λ, η.
        inverse: 1 / H, which sets the type with the others.
    """

    plan: Record
    layout: Record
    tensors: Record
    saved: Pointer
    block: Pointer
    work: Pointer
    number: int
    decay: Real
    rate: Real
    inverse: Real


@helper
def rows_of(frame: Frame, address: int, row_size: int) -> Pointer:
    """Where the row block begins in a tensor of `row_size` scalars a row."""
    return row_start(pointer(address, frame.inverse), frame.number, row_size)


@helper
def count_of(frame: Frame) -> int:
    """The number of real rows of the row block."""
    return min(frame.plan.lanes, frame.plan.batch - frame.number * frame.plan.lanes)


@helper
def row_start(tensor: Pointer, block: int, row_size: int) -> Pointer:
    """Where the first batch row of a row block begins in a tensor of `row_size` scalars a row."""
    return offset(tensor, block * lane_count(tensor) * row_size)
