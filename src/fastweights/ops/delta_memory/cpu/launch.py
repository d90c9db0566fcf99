"""How the kernels are started: memory laid out, addresses collected, threads counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastweights.kernels import memory as memory_pool
from fastweights.kernels import threads
from fastweights.ops.delta_memory.cpu.plan import (
    Addresses,
    Options,
    Plan,
    Size,
    Sizes,
    lay_out,
    make_plan,
)
from fastweights.ops.delta_memory.cpu.plan_backward import make_backward_plan

Allocate = Callable[[Sequence[Size], Tensor], Tensor]
REALS = {torch.float32: np.float32, torch.float64: np.float64}


class Given(NamedTuple):
    """The tensors of a call, contiguous; None where there is none.

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

    @property
    def memory_shape(self) -> tuple[Size, ...]:
        """The shape of a memory."""
        outer = () if self.outer_key is None else (self.outer_key.shape[2],)
        return (len(self.values), *outer, self.inner_key.shape[2], self.values.shape[2])


@cache
def _kernels() -> Any:
    """Import what needs Numba, once it is needed."""
    return import_module("fastweights.ops.delta_memory.cpu.kernels")


def sizes_of(given: Given) -> Sizes:
    """Return the sizes of a call."""
    rows, time, value = given.values.shape
    return Sizes(
        rows,
        time,
        0 if given.outer_key is None else given.outer_key.shape[2],
        given.inner_key.shape[2],
        value,
        0 if given.query is None else given.query.shape[2],
        given.gate is not None,
        given.memory is not None,
        given.real is not None,
        given.read_mask is not None,
    )


@cache
def _unit(scalar_bytes: int) -> int:
    isa = _kernels().host()
    return max(isa.vector_bytes // scalar_bytes, isa.pair)


def plan_of(given: Given, options: Options, *, symbolic: bool = False) -> Plan:
    """Lay out a call; see `Plan`. With symbolic sizes the result must not be remembered."""
    make = lay_out if symbolic else make_plan
    return make(sizes_of(given), options, _unit(given.values.element_size()))


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def contiguous(tensors: tuple[Tensor | None, ...]) -> Given:
    """Return the tensors of a call as the kernels read them."""
    return Given(*(None if x is None else x.contiguous() for x in tensors))  # type: ignore[arg-type]


def fresh(shape: Sequence[Size], like: Tensor) -> Tensor:
    """Allocate a tensor as torch does, of sizes that may be symbolic."""
    return like.new_empty(shape)


def new_retrieved(given: Given, empty: Allocate = fresh) -> Tensor:
    """Allocate what is retrieved: 0 where nothing is read, empty where nothing is asked."""
    if given.query is None:
        return given.values.new_empty(0)
    if given.read_mask is None:
        return empty(given.values.shape, given.values)
    return torch.zeros_like(given.values)


def run_forward(
    given: Given, options: Options, eps: float, *, clean: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (retrieved, final memory, saved), the last with no chance bits in its padding where `clean`."""
    kernels = _kernels()
    plan = plan_of(given, options)
    like = given.values
    retrieved = new_retrieved(given, memory_pool.empty)
    final = memory_pool.empty(given.memory_shape, like)
    saved = memory_pool.take(plan.rows * plan.saved_stride, like)
    if clean:
        saved.zero_()
    workers = threads.count(plan.rows)
    scratch = memory_pool.take(workers * plan.stride, like)
    addresses = Addresses(*map(_address, (*given, saved, scratch, retrieved, final)))
    fixed, plan_at = kernels.constant(plan)
    integers, addresses_at = kernels.pack_integers(addresses)
    epsilon = REALS[like.dtype](eps)
    if workers == 1:
        kernels.forward(plan_at, addresses_at, 0, 1, epsilon)
    else:
        with threads.parallel(workers):
            kernels.forward_parallel(plan_at, addresses_at, workers, epsilon)
    del fixed, integers  # kept until here: the kernels read them
    return retrieved, final, saved


def run_backward(
    retrieved_gradient: Tensor | None,
    final_gradient: Tensor | None,
    saved: Tensor,
    given: Given,
    options: Options,
    eps: float,
    wants_memory: bool,
    wants_gate: bool,
) -> tuple[Tensor | None, ...]:
    """Return the gradients in the order of `empty_gradients`, None for what was not given or not wanted."""
    kernels = _kernels()
    plan = plan_of(given, options)
    if given.query is None:
        retrieved_gradient = None
    if retrieved_gradient is not None:
        retrieved_gradient = retrieved_gradient.contiguous()
    if final_gradient is not None:
        final_gradient = final_gradient.contiguous()
    layout = make_backward_plan(plan, wants_memory, wants_gate, final_gradient is not None)
    workers = threads.count(plan.rows)
    scratch = memory_pool.take(workers * layout.stride, given.values)
    all_read = retrieved_gradient is not None and given.read_mask is None
    results = empty_gradients(
        given, wants_memory, wants_gate, all_read=all_read, empty=memory_pool.empty
    )
    outputs = (None, None, retrieved_gradient, final_gradient, *results)
    addresses = Addresses(*map(_address, (*given, saved, scratch, *outputs)))
    fixed, plan_at = kernels.constant(plan)
    more, layout_at = kernels.constant(layout)
    integers, addresses_at = kernels.pack_integers(addresses)
    epsilon = REALS[given.values.dtype](eps)
    if workers == 1:
        kernels.backward(plan_at, layout_at, addresses_at, 0, 1, epsilon)
    else:
        with threads.parallel(workers):
            kernels.backward_parallel(plan_at, layout_at, addresses_at, workers, epsilon)
    del fixed, more, integers
    return results


def empty_gradients(
    given: Given,
    wants_memory: bool,
    wants_gate: bool,
    *,
    all_read: bool,
    empty: Allocate = fresh,
) -> tuple[Tensor | None, ...]:
    """Allocate the gradients of both key factors, values, strength, both query factors, memory and gate.

    `Addresses` ends with the same. Those of queries are 0 where nothing is read.
    """

    def new(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else empty(tensor.shape, tensor)

    def new_query(tensor: Tensor | None) -> Tensor | None:
        return new(tensor) if tensor is None or all_read else torch.zeros_like(tensor)

    return (
        new(given.outer_key),
        new(given.inner_key),
        new(given.values),
        new(given.strength),
        new_query(given.chain),
        new_query(given.query),
        new(given.memory) if wants_memory else None,
        new(given.gate) if wants_gate else None,
    )
