"""Rows of the tensors, as the kernels find them."""

from __future__ import annotations

from fastweights.kernels.compile import helper
from fastweights.kernels.record import reader
from fastweights.kernels.simd import at, offset, pointer
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.lstm.cpu.plan import Addresses, BackwardScratch, ForwardScratch, Plan

read_plan = reader(Plan._fields)
read_addresses = reader(Addresses._fields)
read_forward_scratch = reader(ForwardScratch._fields)
read_backward_scratch = reader(BackwardScratch._fields)


@helper
def gates_row(plan: Record, tensors: Record, row: int, t: int, like: Real) -> Pointer:
    """The input's share of the gates of one batch row and step."""
    index = row * plan.time + t
    if plan.looked_up:
        index = at(pointer(tensors.classes, index), index)
    return offset(pointer(tensors.gates, like), index * 4 * plan.hidden)


@helper
def length_of(tensors: Record, row: int, time: int) -> int:
    """The number of real steps of a batch row."""
    if tensors.lengths == 0:
        return time
    return at(pointer(tensors.lengths, time), row)


@helper
def share(batch: int, worker: int, workers: int, multiple: int) -> tuple[int, int]:
    """The first and last batch row (excluded) of a worker; whole tiles to each while there are enough."""
    each = (batch + workers * multiple - 1) // (workers * multiple) * multiple
    return min(worker * each, batch), min((worker + 1) * each, batch)
