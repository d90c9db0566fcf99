"""How the kernels with decays by feature are started, and the operator that autograd sees."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor

from fastweights.kernels import memory as buffers
from fastweights.kernels import threads
from fastweights.kernels.isa import host
from fastweights.kernels.launcher import Entry, Passes, lanes, launch
from fastweights.kernels.layout import addresses_of
from fastweights.ops.autograd import Fused, Kept
from fastweights.ops.delta_memory.cpu.channels.plan import (
    STEPS,
    Addresses,
    Sizes,
    lay_out,
    packed_backward_plan,
    packed_plan,
)


class Arguments(NamedTuple):
    """Inputs of a forward.

    Attributes:
        keys, gate: [rows, time, key].
        values: β v [rows, time, value].
        erase, query: [rows, time, key]; None where nothing is erased or read.
        memory: [rows, key, value]; None for zeros.
        chunk: steps between the makings of F, 1 to `STEPS`.
    """

    keys: Tensor
    gate: Tensor
    values: Tensor
    erase: Tensor | None
    query: Tensor | None
    memory: Tensor | None
    chunk: int


class BackwardArguments(NamedTuple):
    """Inputs of a backward: gradients of the results, `saved`, all that the forward took, and what is wanted."""

    retrieved_gradient: Tensor | None
    final_gradient: Tensor | None
    saved: Tensor
    keys: Tensor
    gate: Tensor
    values: Tensor
    erase: Tensor | None
    query: Tensor | None
    memory: Tensor | None
    chunk: int
    wants_memory: bool


@cache
def passes() -> Passes:
    """Import the kernels of both passes."""
    from fastweights.ops.delta_memory.cpu.channels.backward import backward, backward_parallel
    from fastweights.ops.delta_memory.cpu.channels.forward import forward, forward_parallel

    return Passes(
        Entry(forward, forward_parallel, records=2, reals=1),
        Entry(backward, backward_parallel, records=3, reals=1),
    )


def _sizes_of(call: Arguments) -> Sizes:
    rows, time, key = call.keys.shape
    return Sizes(
        rows=rows,
        time=time,
        key=key,
        value=call.values.shape[2],
        erases=call.erase is not None,
        reads=call.query is not None,
        has_memory=call.memory is not None,
        chunk=min(call.chunk, STEPS),
        unit=max(lanes(call.values.dtype), host().pair),
    )


def _run_forward(call: Arguments, *, clean: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Return what is retrieved (empty without queries), the final memory and `saved`."""
    like = call.values
    rows, _, key = call.keys.shape
    packed = packed_plan(_sizes_of(call))
    plan = packed.record
    workers = threads.count(rows)
    shape = (0,) if call.query is None else like.shape
    retrieved, final = buffers.empty(shape, like), buffers.empty((rows, key, plan.value), like)
    saved = buffers.take(rows * plan.saved_stride, like)
    if clean:
        saved.zero_()
    scratch = buffers.take(workers * plan.stride, like)
    made = {"saved": saved, "scratch": scratch, "retrieved": retrieved, "final": final}
    addresses = addresses_of(Addresses, **_tensors(call), **made)
    launch(passes().forward, (packed,), addresses, workers, like.dtype, 0.0)
    return retrieved, final, saved


def _run_backward(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Return the gradients of the forward's tensors in order, None for what was not given or is not wanted."""
    given = Arguments(*call[3:-1])
    like = given.values
    packed = packed_plan(_sizes_of(given))
    layout = packed_backward_plan(packed.record, call.wants_memory, call.final_gradient is not None)
    workers = threads.count(packed.record.rows)
    scratch = buffers.take(workers * layout.record.stride, like)
    results = _empty_gradients(call, buffers.empty)
    names = [f"{name}_gradient" for name in Arguments._fields[:-1]]
    addresses = addresses_of(
        Addresses,
        **_tensors(given),
        saved=call.saved,
        scratch=scratch,
        retrieved_gradient=None if given.query is None else call.retrieved_gradient,
        final_gradient=call.final_gradient,
        **dict(zip(names, results, strict=True)),
    )
    launch(passes().backward, (packed, layout), addresses, workers, like.dtype, 0.0)
    return results


def _tensors(call: Arguments) -> dict[str, Tensor | None]:
    return dict(zip(Arguments._fields[:-1], call[:-1], strict=True))


def _fresh(shape: Sequence[int], like: Tensor) -> Tensor:
    return like.new_empty(shape)


def _empty_gradients(call: BackwardArguments, empty=_fresh) -> tuple[Tensor | None, ...]:
    def new(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else empty(tensor.shape, tensor)

    *others, memory = Arguments(*call[3:-1])[:-1]
    return (*map(new, others), new(memory) if call.wants_memory else None)


def _fake_forward(call: Arguments) -> tuple[Tensor, Tensor, Tensor]:
    plan, new = lay_out(_sizes_of(call)), call.values.new_empty
    retrieved = new(0) if call.query is None else torch.empty_like(call.values)
    final = new(call.keys.shape[0], call.keys.shape[2], call.values.shape[2])
    return retrieved, final, new(plan.rows * plan.saved_stride)


def _keep(call: Arguments, results: Sequence[Tensor], saved: Tensor) -> Kept:
    return Kept((saved, *call[:-1]), call[-1:])


fused_channels = Fused(
    "channel_memory",
    Arguments,
    BackwardArguments,
    results=2,
    gradients=6,
    optional=("memory",),
    forward=_run_forward,
    clean_forward=partial(_run_forward, clean=True),
    backward=_run_backward,
    fake_forward=_fake_forward,
    fake_backward=_empty_gradients,
    keep=_keep,
    alternative="backends 'reference' and 'chunked' have one",
)
