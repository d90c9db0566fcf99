"""A single step without a gradient, straight to its kernel; see `ops.repeats`."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from fastweights.errors import Unavailable
from fastweights.kernels import memory as buffers
from fastweights.kernels import threads
from fastweights.kernels.layout import pack
from fastweights.ops.delta_memory import arguments
from fastweights.ops.delta_memory.options import Inputs, Options

if TYPE_CHECKING:
    from fastweights.kernels.compile import Kernel

REALS = {torch.float32: np.float32, torch.float64: np.float64}
Results = tuple[Tensor | None, Tensor]


def shortcut(inputs: Inputs, options: Options) -> Callable[[Inputs], Results] | None:
    """Return what runs steps like this one, None if they are left to the chunked kernels.

    Those of one key factor with a memory and a decay of a number or none, whose values are whole vectors.
    """
    keys, values, strength, queries, memory, gate, *rest = inputs
    given = [
        *keys,
        values,
        strength,
        *(queries or ()),
        *(x for x in (memory, gate) if x is not None),
    ]
    kind = REALS.get(values.dtype)
    wide = gate is not None and gate.dim() == values.dim()
    if memory is None or wide or len(keys) != 1 or any(x is not None for x in rest):
        return None
    if kind is None or any(x.dtype != values.dtype for x in given):
        return None
    if options.clamp or (options.read_norm and queries) or values.shape[-2] != 1:
        return None
    from fastweights.kernels.launcher import lanes

    rows = [_row(x, 2) for x in (*keys, *(queries or ()), values)]
    rows += [_row(x, 1) for x in (strength, gate) if x is not None]
    if None in rows or not memory.is_contiguous() or values.shape[-1] % lanes(values.dtype):
        return None
    return _bound(inputs, options, [cast(int, row) for row in rows], kind)


def _bound(
    inputs: Inputs, options: Options, rows: list[int], kind: type[np.floating]
) -> Callable[[Inputs], Results] | None:
    from fastweights.ops.delta_memory.cpu.step import StepPlan

    _, values, strength, queries, memory, gate, *_ = inputs
    assert memory is not None
    count, shape, memory_shape = strength.numel(), tuple(values.shape), tuple(memory.shape)
    places = iter(rows)
    plan = pack(
        StepPlan(
            rows=count,
            key=memory.shape[-2],
            value=values.shape[-1],
            delta=options.rule == "delta",
            gated=gate is not None,
            reads=queries is not None,
            unit_keys=options.unit_eps is not None,
            key_row=next(places),
            query_row=0 if queries is None else next(places),
            value_row=next(places),
            strength_row=next(places),
            gate_row=0 if gate is None else next(places),
        )
    )
    numbers = kind(options.unit_eps or 0.0), kind(options.query_scale)
    try:
        serial, parallel = _kernels()
        for kernel in (serial, parallel) if threads.count(count) > 1 else (serial,):
            kernel.prepare(plan.address, 0, 1, *numbers)
    except Unavailable:  # the chunked kernels serve
        return None

    def run(given: Inputs) -> Results:
        (key,), values, strength, queries, memory, gate = given[:6]
        retrieved = None if queries is None else values.new_empty(shape)
        final = buffers.empty(memory_shape, values)
        query = None if queries is None else queries[0]
        tensors = (key, values, strength, query, memory, gate, retrieved, final)
        addresses = array("q", [0 if x is None else x.data_ptr() for x in tensors])
        at, workers = addresses.buffer_info()[0], threads.count(count)
        if workers == 1:
            bad = serial(plan.address, at, 1, *numbers)
        else:
            with threads.parallel(workers):
                bad = parallel(plan.address, at, workers, *numbers)
        if bad:
            arguments.raise_if_not_finite((retrieved, final), given)
        return retrieved, final

    return run


@cache
def _kernels() -> tuple[Kernel, Kernel]:
    from fastweights.ops.delta_memory.cpu.step import step, step_parallel

    return step, step_parallel


def _row(x: Tensor, own: int) -> int | None:
    """Return how far the rows of a tensor, whose last `own` dimensions are a row's, lie apart; None if unequally."""
    if own == 2 and x.shape[-1] > 1 and x.stride(-1) != 1:
        return None
    lead = [
        (size, step)
        for size, step in zip(x.shape[:-own], x.stride()[:-own], strict=True)
        if size > 1
    ]
    for (_, before), (size, step) in pairwise(lead):
        if before != size * step:
            return None
    return lead[-1][1] if lead else 0
