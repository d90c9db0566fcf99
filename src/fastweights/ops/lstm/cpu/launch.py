"""How the kernels are started: memory laid out, addresses collected, threads counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fastweights.errors import UserError
from fastweights.kernels import memory as memory_pool
from fastweights.kernels import threads
from fastweights.ops.lstm.cpu.plan import (
    Addresses,
    Plan,
    Size,
    backward_scratch,
    forward_scratch,
    make_plan,
)

REALS = {torch.float32: np.float32, torch.float64: np.float64}


@cache
def _kernels() -> Any:
    """Import what needs Numba, once it is needed."""
    return import_module("fastweights.ops.lstm.cpu.kernels")


def plan_of(
    like: Tensor,
    steps: tuple[Size, ...],
    size: Size,
    has_hidden: bool,
    looked_up: bool,
    keep: bool,
    make: Callable[..., tuple[Plan, Size]] = make_plan,
) -> tuple[Plan, Size]:
    """Lay out a call over `steps` [batch, time]. Symbolic sizes need a `make` that does not remember its results."""
    return make(
        *steps,
        size,
        lanes=_kernels().host().vector_bytes // like.element_size(),
        has_hidden=has_hidden,
        looked_up=looked_up,
        keep=keep,
    )


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _packed(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _integers(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.to(torch.int64).contiguous()


def _workers(batch: int) -> int:
    return threads.count(-(-batch // _kernels().ROWS))


def run_forward(
    gates: Tensor,
    classes: Tensor | None,
    recurrent_weight: Tensor,
    hidden: Tensor | None,
    cell: Tensor | None,
    lengths: Tensor | None,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return (outputs, h, c, saved); without `keep`, `saved` is of no use for a backward.

    Raises:
        UserError: for a class that has no row of gates: kernels would read past the end.
    """
    kernels = _kernels()
    gates, recurrent_weight = gates.contiguous(), recurrent_weight.contiguous()
    hidden, cell = _packed(hidden), _packed(cell)
    classes, lengths = _integers(classes), _integers(lengths)
    if classes is not None:
        _check_range(classes, len(gates))
    batch, time = steps = tuple((gates if classes is None else classes).shape[:2])
    size = recurrent_weight.shape[1]
    plan, needed = plan_of(gates, steps, size, hidden is not None, classes is not None, keep)
    workers = _workers(batch)
    layout, scratch_size = forward_scratch(plan, workers)
    outputs = gates.new_empty(batch, time, size)
    last_hidden, last_cell = gates.new_empty(batch, size), gates.new_empty(batch, size)
    saved = memory_pool.take(needed, gates)
    scratch = memory_pool.take(scratch_size, gates)
    addresses = Addresses(
        gates=gates.data_ptr(),
        classes=_address(classes),
        recurrent_weight=recurrent_weight.data_ptr(),
        hidden=_address(hidden),
        cell=_address(cell),
        lengths=_address(lengths),
        outputs=outputs.data_ptr(),
        saved=saved.data_ptr(),
        scratch=scratch.data_ptr(),
        last_hidden=last_hidden.data_ptr(),
        last_cell=last_cell.data_ptr(),
    )
    fixed, plan_at = kernels.constant(plan)
    more, layout_at = kernels.constant(layout)
    integers, addresses_at = kernels.pack_integers(addresses)
    starts = (plan_at, layout_at, addresses_at)
    if workers == 1:
        kernels.forward(*starts, REALS[gates.dtype](0))
    else:
        with threads.parallel(workers):
            kernels.forward_parallel(*starts, workers, REALS[gates.dtype](0))
    del fixed, more, integers  # kept until here: the kernels read them
    return outputs, last_hidden, last_cell, saved


def run_backward(
    outputs_gradient: Tensor | None,
    hidden_gradient: Tensor | None,
    cell_gradient: Tensor | None,
    outputs: Tensor,
    saved: Tensor,
    classes: Tensor | None,
    recurrent_weight: Tensor,
    hidden: Tensor | None,
    lengths: Tensor | None,
    has_cell: bool,
    rows: int,
) -> tuple[Tensor | None, ...]:
    """Return the gradients in the order of `empty_gradients`, None for what was not given."""
    kernels = _kernels()
    recurrent_weight, hidden = recurrent_weight.contiguous(), _packed(hidden)
    classes, lengths = _integers(classes), _integers(lengths)
    given = [_packed(x) for x in (outputs_gradient, hidden_gradient, cell_gradient)]
    batch, time, size = outputs.shape
    plan, _ = plan_of(outputs, (batch, time), size, hidden is not None, classes is not None, True)
    layout, scratch_size = backward_scratch(plan)
    scratch = memory_pool.take(scratch_size, outputs)
    looked_up = None if classes is None else rows
    results = empty_gradients(outputs, looked_up, hidden is not None, has_cell)
    addresses = Addresses(
        0,
        _address(classes),
        recurrent_weight.data_ptr(),
        _address(hidden),
        0,
        _address(lengths),
        outputs.data_ptr(),
        saved.data_ptr(),
        scratch.data_ptr(),
        0,
        0,
        *map(_address, given),
        *map(_address, results),
    )
    fixed, plan_at = kernels.constant(plan)
    more, layout_at = kernels.constant(layout)
    integers, addresses_at = kernels.pack_integers(addresses)
    starts = (plan_at, layout_at, addresses_at, -(-time // layout.steps))
    workers = _workers(batch)
    if workers == 1:
        kernels.backward(*starts, REALS[outputs.dtype](0))
    else:
        with threads.parallel(workers):
            kernels.backward_parallel(*starts, workers, REALS[outputs.dtype](0))
    del fixed, more, integers
    return results


def empty_gradients(
    outputs: Tensor, rows: Size | None, has_hidden: bool, has_cell: bool
) -> tuple[Tensor | None, ...]:
    """Allocate the gradients of gates (of `rows` rows if they are looked up), W, h(0) and c(0), in this order.

    `Addresses` ends with the same.
    """
    batch, time, size = outputs.shape
    new = outputs.new_empty
    return (
        new(batch, time, 4 * size) if rows is None else outputs.new_zeros(rows, 4 * size),
        new(4 * size, size),
        new(batch, size) if has_hidden else None,
        new(batch, size) if has_cell else None,
    )


def _check_range(classes: Tensor, count: int) -> None:
    least, most = (int(bound) for bound in classes.aminmax())
    if least < 0 or most >= count:
        wrong = least if least < 0 else most
        raise UserError(f"class {wrong} has no row of gates; accepted: 0 to {count - 1}")
