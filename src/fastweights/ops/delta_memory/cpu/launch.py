"""How the kernels are started: memory laid out, addresses collected, threads counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from fastweights.ops.delta_memory.cpu.plan import Addresses, Sizes, packed_plan
from fastweights.ops.delta_memory.cpu.plan_backward import packed_backward_plan

Allocate = Callable[[Sequence[Size], Tensor], Tensor]


class Arguments(NamedTuple):
    """Inputs of a forward; None where there is none.

    Attributes:
        outer_key: [rows, time, outer], of a product of two factors.
        inner_key: [rows, time, inner]: the other factor, or the whole key.
        values: [rows, time, value].
        strength: [rows, time].
        chain: n⁰ [rows, time, outer], or of concatenated keys [rows, time, head].
        query: e [rows, time, reads, inner - head], or the whole query, then with one read.
        memory: [rows, (outer,) inner, value].
        gate: [rows, time].
        real, read_mask: [rows, time] bool.
        delta, clamp, head, norm, chunk: as in `plan.Sizes`.
        eps: ε of the normalisation of reads.
        unit_keys, unit_eps: whether inner keys and queries are scaled to norm 1 first, and ε of that.
        query_scale: what inner queries are multiplied by.

    Inner keys, values, queries, and the gradient of what was read, may have any strides but for features side by side.
    """

    outer_key: Tensor | None
    inner_key: Tensor
    values: Tensor
    strength: Tensor
    chain: Tensor | None
    query: Tensor | None
    memory: Tensor | None
    gate: Tensor | None
    real: Tensor | None
    read_mask: Tensor | None
    delta: bool
    clamp: bool
    head: int
    norm: bool
    chunk: int
    eps: float
    unit_keys: bool = False
    unit_eps: float = 0.0
    query_scale: float = 1.0

    @property
    def memory_shape(self) -> tuple[Size, ...]:
        """The shape of a memory."""
        outer = () if self.outer_key is None else (self.outer_key.shape[2],)
        return (self.values.shape[0], *outer, self.inner_key.shape[2], self.values.shape[2])

    @property
    def tensors(self) -> dict[str, Tensor | None]:
        """The tensors by name, as `Addresses` has them."""
        return dict(zip(_TENSORS, self[:10], strict=True))


_TENSORS = Arguments._fields[:10]


class BackwardArguments(NamedTuple):
    """Inputs of a backward: gradients of the results, `saved`, all that the forward took, and what is wanted."""

    retrieved_gradient: Tensor | None
    final_gradient: Tensor | None
    saved: Tensor
    outer_key: Tensor | None
    inner_key: Tensor
    values: Tensor
    strength: Tensor
    chain: Tensor | None
    query: Tensor | None
    memory: Tensor | None
    gate: Tensor | None
    real: Tensor | None
    read_mask: Tensor | None
    delta: bool
    clamp: bool
    head: int
    norm: bool
    chunk: int
    eps: float
    unit_keys: bool
    unit_eps: float
    query_scale: float
    wants_memory: bool
    wants_gate: bool

    @property
    def forward(self) -> Arguments:
        """Return the inputs of the forward."""
        return Arguments(*self[3:-2])


@cache
def passes() -> Passes:
    """Import the kernels of both passes."""
    from fastweights.ops.delta_memory.cpu.backward import backward, backward_parallel
    from fastweights.ops.delta_memory.cpu.forward import forward, forward_parallel

    return Passes(
        Entry(forward, forward_parallel, records=2, reals=3),
        Entry(backward, backward_parallel, records=3, reals=3),
    )


def sizes_of(call: Arguments) -> Sizes:
    """Return what the layout of a call follows from."""
    inner, values, query = call.inner_key, call.values, call.query
    rows, time, value = values.shape
    key_row, key_step, _ = inner.stride()
    value_row, value_step, _ = values.stride()
    reads, query_row, query_step = 0, 0, 0
    if query is not None:
        reads, (query_row, query_step, *_) = query.shape[2], query.stride()
    return Sizes(
        rows,
        time,
        0 if call.outer_key is None else call.outer_key.shape[2],
        inner.shape[2],
        value,
        reads,
        call.gate is not None,
        call.memory is not None,
        call.real is not None,
        call.read_mask is not None,
        call.delta,
        call.clamp,
        call.head,
        call.norm,
        min(call.chunk, time),
        _unit(values.dtype),
        call.unit_keys,
        call.query_scale != 1,
        key_row,
        key_step,
        value_row,
        value_step,
        query_row,
        query_step,
    )


@cache
def _unit(dtype: torch.dtype) -> int:
    """Return what sizes are padded to."""
    return max(lanes(dtype), host().pair)


def fresh(shape: Sequence[Size], like: Tensor) -> Tensor:
    """Allocate a tensor as torch does, of sizes that may be symbolic."""
    return like.new_empty(shape)


def new_retrieved(call: Arguments, empty: Allocate = fresh) -> Tensor:
    """Allocate what is retrieved: 0 where nothing is read, empty without queries."""
    if call.query is None:
        return call.values.new_empty(0)
    if call.read_mask is None:
        return empty(call.values.shape, call.values)
    return call.values.new_zeros(call.values.shape)


def run_forward(call: Arguments, *, clean: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Return what is retrieved, the final memory and `saved`, with no chance bits in its padding where `clean`."""
    like = call.values
    packed = packed_plan(sizes_of(call))
    plan = packed.record
    workers = threads.count(plan.rows)
    retrieved = new_retrieved(call, buffers.empty)
    final = buffers.empty(call.memory_shape, like)
    saved = buffers.take(plan.rows * plan.saved_stride, like)
    if clean:
        saved.zero_()
    scratch = buffers.take(workers * plan.stride, like)
    made = {"saved": saved, "scratch": scratch, "retrieved": retrieved, "final": final}
    addresses = addresses_of(Addresses, **call.tensors, **made)
    numbers = (call.eps, call.unit_eps, call.query_scale)
    launch(passes().forward, (packed,), addresses, workers, like.dtype, *numbers)
    return retrieved, final, saved


def run_backward(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Return the gradients of the first arguments of the forward, None for what was not given or is not wanted."""
    given = call.forward
    like = given.values
    packed = packed_plan(sizes_of(given))
    received = None if given.query is None else call.retrieved_gradient
    layout = packed_backward_plan(
        packed.record,
        call.wants_memory,
        call.wants_gate,
        call.final_gradient is not None,
        (0, 0) if received is None else (received.stride(0), received.stride(1)),
    )
    workers = threads.count(packed.record.rows)
    scratch = buffers.take(workers * layout.record.stride, like)
    all_read = received is not None and given.read_mask is None
    results = empty_gradients(call, all_read=all_read, empty=buffers.empty)
    outer_key, inner_key, values, strength, chain, query, memory, gate = results
    addresses = addresses_of(
        Addresses,
        **given.tensors,
        saved=call.saved,
        scratch=scratch,
        retrieved_gradient=received,
        final_gradient=call.final_gradient,
        outer_key_gradient=outer_key,
        inner_key_gradient=inner_key,
        values_gradient=values,
        strength_gradient=strength,
        chain_gradient=chain,
        query_gradient=query,
        memory_gradient=memory,
        gate_gradient=gate,
    )
    numbers = (call.eps, call.unit_eps, call.query_scale)
    launch(passes().backward, (packed, layout), addresses, workers, like.dtype, *numbers)
    return results


def empty_gradients(
    call: BackwardArguments, *, all_read: bool = True, empty: Allocate = fresh
) -> tuple[Tensor | None, ...]:
    """Allocate the gradients of the first arguments of the forward; of queries 0 unless all are read."""

    def new(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else empty(tensor.shape, tensor)

    def new_query(tensor: Tensor | None) -> Tensor | None:
        return new(tensor) if tensor is None or all_read else tensor.new_zeros(tensor.shape)

    return (
        new(call.outer_key),
        new(call.inner_key),
        new(call.values),
        new(call.strength),
        new_query(call.chain),
        new_query(call.query),
        new(call.memory) if call.wants_memory else None,
        new(call.gate) if call.wants_gate else None,
    )
