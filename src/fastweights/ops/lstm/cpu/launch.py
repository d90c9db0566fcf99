"""How the kernels are started: memory laid out, addresses collected, threads counted."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from fastweights.kernels import memory as buffers
from fastweights.kernels import threads
from fastweights.kernels.isa import host
from fastweights.kernels.launcher import Entry, Passes, lanes, launch
from fastweights.kernels.layout import addresses_of
from fastweights.kernels.types import Size
from fastweights.ops.lstm.arguments import check_classes
from fastweights.ops.lstm.cpu.plan import (
    Addresses,
    Sizes,
    packed_backward_scratch,
    packed_forward_scratch,
    packed_plan,
)


class Arguments(NamedTuple):
    """Inputs of a forward.

    Attributes:
        gates: [batch, time, 4 hidden], or [classes, 4 hidden].
        classes: [batch, time] integers, the row of gates that each step takes.
        recurrent_weight: W [4 hidden, hidden].
        hidden, cell: h(0), c(0) [batch, hidden].
        lengths: [batch], real steps of each row, which come first.
        keep: whether a backward will follow.
    """

    gates: Tensor
    classes: Tensor | None
    recurrent_weight: Tensor
    hidden: Tensor | None
    cell: Tensor | None
    lengths: Tensor | None
    keep: bool


class BackwardArguments(NamedTuple):
    """Inputs of a backward: gradients of the results, and what the forward left; `rows` are those of its gates."""

    outputs_gradient: Tensor | None
    hidden_gradient: Tensor | None
    cell_gradient: Tensor | None
    outputs: Tensor
    saved: Tensor
    classes: Tensor | None
    recurrent_weight: Tensor
    hidden: Tensor | None
    lengths: Tensor | None
    has_cell: bool
    rows: Size


@cache
def passes() -> Passes:
    """Import the kernels of both passes."""
    from fastweights.ops.lstm.cpu.backward import backward, backward_parallel
    from fastweights.ops.lstm.cpu.forward import forward, forward_parallel

    return Passes(
        Entry(forward, forward_parallel, records=3, reals=1),
        Entry(backward, backward_parallel, records=3, reals=1),
    )


def sizes_of(call: Arguments | BackwardArguments, steps: Tensor) -> Sizes:
    """Return what the layout of a call follows from; `steps` begins with the batch and time."""
    weight = call.recurrent_weight
    return Sizes(
        batch=steps.shape[0],
        time=steps.shape[1],
        hidden=weight.shape[1],
        has_hidden=call.hidden is not None,
        looked_up=call.classes is not None,
        lanes=lanes(weight.dtype),
    )


def _integers(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.to(torch.int64)


def _workers(batch: int) -> int:
    return threads.count(-(-batch // host().quad))


def run_forward(call: Arguments) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the outputs [batch, time, hidden], h and c at each row's length, and `saved`, which the backward takes.

    Raises:
        UserError: for a class that has no row of gates: kernels would read past the end.
    """
    gates, classes, lengths = call.gates, _integers(call.classes), _integers(call.lengths)
    if classes is not None:
        check_classes(classes, len(gates))
    packed = packed_plan(sizes_of(call, gates if classes is None else classes), call.keep)
    plan = packed.record
    workers = _workers(plan.batch)
    layout = packed_forward_scratch(plan, workers)
    outputs = gates.new_empty(plan.batch, plan.time, plan.hidden)
    hidden, cell = (gates.new_empty(plan.batch, plan.hidden) for _ in range(2))
    saved = buffers.take(plan.saved, gates)
    scratch = buffers.take(layout.record.size, gates)
    addresses = addresses_of(
        Addresses,
        gates=gates,
        classes=classes,
        recurrent_weight=call.recurrent_weight,
        hidden=call.hidden,
        cell=call.cell,
        lengths=lengths,
        outputs=outputs,
        saved=saved,
        scratch=scratch,
        last_hidden=hidden,
        last_cell=cell,
    )
    launch(passes().forward, (packed, layout), addresses, workers, gates.dtype, 0.0)
    return outputs, hidden, cell, saved


def run_backward(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Return the gradients of the forward's tensors, None for what was not given or has none."""
    outputs, classes, lengths = call.outputs, _integers(call.classes), _integers(call.lengths)
    packed = packed_plan(sizes_of(call, outputs), True)
    layout = packed_backward_scratch(packed.record)
    scratch = buffers.take(layout.record.size, outputs)
    results = empty_gradients(call)
    gates, _, weight, hidden, cell, _ = results
    addresses = addresses_of(
        Addresses,
        classes=classes,
        recurrent_weight=call.recurrent_weight,
        hidden=call.hidden,
        lengths=lengths,
        outputs=outputs,
        saved=call.saved,
        scratch=scratch,
        outputs_gradient=call.outputs_gradient,
        last_hidden_gradient=call.hidden_gradient,
        last_cell_gradient=call.cell_gradient,
        gates_gradient=gates,
        weight_gradient=weight,
        hidden_gradient=hidden,
        cell_gradient=cell,
    )
    workers = _workers(packed.record.batch)
    launch(passes().backward, (packed, layout), addresses, workers, outputs.dtype, 0.0)
    return results


def empty_gradients(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Allocate the gradients of the forward's tensors."""
    batch, time, size = call.outputs.shape
    new = call.outputs.new_empty
    looked_up = call.classes is not None
    return (
        call.outputs.new_zeros(call.rows, 4 * size) if looked_up else new(batch, time, 4 * size),
        None,
        new(4 * size, size),
        new(batch, size) if call.hidden is not None else None,
        new(batch, size) if call.has_cell else None,
        None,
    )
