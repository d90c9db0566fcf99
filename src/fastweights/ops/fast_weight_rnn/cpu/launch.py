"""How the kernels are started: memory laid out, addresses collected, threads counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastweights.kernels import memory as memory_pool
from fastweights.kernels import threads
from fastweights.ops.fast_weight_rnn.cpu.plan import (
    Addresses,
    Plan,
    Size,
    lay_out,
    make_backward_plan,
)

Given = tuple[bool, bool, bool, bool]  # norm, preliminary norm, h(0), A(0)
REALS = {torch.float32: np.float32, torch.float64: np.float64}


def plan_of(
    shape: Sequence[Size],
    dtype: torch.dtype,
    given: Given,
    steps: int,
    use_tanh: bool,
    flat: bool,
    chunk: Size,
) -> Plan:
    """Lay out a call on data of a shape, its sizes known or symbolic; see `Plan`."""
    isa = _kernels().host()
    norm, preliminary, has_hidden, has_memory = given
    batch, time, size = shape
    return lay_out(
        batch,
        time,
        size,
        steps=steps,
        lanes=isa.vector_bytes // dtype.itemsize,
        rows=isa.pair,
        chunk=min(chunk, time),
        flat=flat,
        use_tanh=use_tanh,
        norm=norm,
        preliminary=preliminary,
        has_hidden=has_hidden,
        has_memory=has_memory,
    )


class Call(NamedTuple):
    """What calls of the same sizes and options share, so that it is made once.

    Attributes:
        plan: their layout.
        record: the plan in memory, and its address.
        real: makes the kernels' real numbers.
        inverse: 1 / H.
    """

    plan: Plan
    record: tuple[Any, int]
    real: Callable[[float], Any]
    inverse: Any


@lru_cache(maxsize=256)
def _call(*sizes_and_options: Any) -> Call:
    plan = plan_of(*sizes_and_options)
    real = REALS[sizes_and_options[1]]
    return Call(plan, _kernels().pack_integers(plan), real, real(1 / plan.hidden))


@lru_cache(maxsize=256)
def _scratch_of(plan: Plan, wants_scalars: bool, workers: int) -> tuple[tuple[Any, int], int]:
    """The layout of a backward's scratch in memory, with its address, and the scalars in all."""
    layout, size = make_backward_plan(plan, wants_scalars, workers)
    return _kernels().pack_integers(layout), size


@cache
def _kernels() -> Any:
    """Import what needs Numba, once it is needed."""
    return import_module("fastweights.ops.fast_weight_rnn.cpu.kernels")


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _packed(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _number(tensor: Tensor | None, value: float) -> float:
    return value if tensor is None else tensor.item()


def run_forward(
    drive: Tensor,
    recurrent_weight: Tensor,
    norm_weight: Tensor | None,
    norm_bias: Tensor | None,
    preliminary_norm_weight: Tensor | None,
    preliminary_norm_bias: Tensor | None,
    hidden: Tensor | None,
    memory: Tensor | None,
    decay: Tensor | None,
    rate: Tensor | None,
    decay_value: float,
    rate_value: float,
    steps: int,
    use_tanh: bool,
    flat: bool,
    norm_eps: float,
    chunk: int,
) -> tuple[Tensor, Tensor]:
    """Return (outputs, saved). λ and η come as a tensor or, where that is None, as a number."""
    kernels = _kernels()
    drive = drive.contiguous()
    recurrent_weight = recurrent_weight.contiguous()
    norm_weight, norm_bias = _packed(norm_weight), _packed(norm_bias)
    first_weight, first_bias = _packed(preliminary_norm_weight), _packed(preliminary_norm_bias)
    hidden, memory = _packed(hidden), _packed(memory)
    given = (
        norm_weight is not None,
        first_weight is not None,
        hidden is not None,
        memory is not None,
    )
    plan, record, real, inverse = _call(
        drive.shape, drive.dtype, given, steps, use_tanh, flat, chunk
    )
    outputs = memory_pool.empty(drive.shape, drive)
    saved = memory_pool.take(plan.blocks * plan.saved_stride, drive)
    workers = threads.count(plan.blocks)
    scratch = memory_pool.take(workers * plan.forward_stride, drive)
    addresses = Addresses(
        recurrent_weight.data_ptr(),
        _address(norm_weight),
        _address(norm_bias),
        _address(first_weight),
        _address(first_bias),
        _address(hidden),
        _address(memory),
        saved.data_ptr(),
        scratch.data_ptr(),
        drive.data_ptr(),
        outputs.data_ptr(),
    )
    integers = kernels.pack_integers(addresses)
    starts = (record[1], integers[1])
    numbers = (
        real(_number(decay, decay_value)),
        real(_number(rate, rate_value)),
        real(norm_eps),
        inverse,
    )
    if workers == 1:
        kernels.forward(*starts, 0, 1, *numbers)
    else:
        with threads.parallel(workers):
            kernels.forward_parallel(*starts, workers, *numbers)
    del record, integers  # kept until here: the kernels read them
    return outputs, saved


def run_backward(
    gradient: Tensor,
    saved: Tensor,
    recurrent_weight: Tensor,
    norm_weight: Tensor | None,
    preliminary_norm_weight: Tensor | None,
    decay: Tensor | None,
    rate: Tensor | None,
    decay_value: float,
    rate_value: float,
    steps: int,
    use_tanh: bool,
    flat: bool,
    chunk: int,
    has_hidden: bool,
    has_memory: bool,
    wants_scalars: bool,
) -> tuple[Tensor | None, ...]:
    """Return the gradients in the order of `empty_gradients`, None for what was not given."""
    kernels = _kernels()
    gradient = gradient.contiguous()
    recurrent_weight = recurrent_weight.contiguous()
    norm_weight, first_weight = _packed(norm_weight), _packed(preliminary_norm_weight)
    given = (norm_weight is not None, first_weight is not None, has_hidden, has_memory)
    plan, record, real, inverse = _call(
        gradient.shape, gradient.dtype, given, steps, use_tanh, flat, chunk
    )
    workers = threads.count(plan.blocks)
    layout, size = _scratch_of(plan, wants_scalars, workers)
    scratch = memory_pool.take(size, gradient)
    results = empty_gradients(gradient, given, wants_scalars, memory_pool.empty)
    addresses = Addresses(
        recurrent_weight.data_ptr(),
        _address(norm_weight),
        0,
        _address(first_weight),
        0,
        0,
        0,
        saved.data_ptr(),
        scratch.data_ptr(),
        0,
        0,
        gradient.data_ptr(),
        *map(_address, results),
    )
    integers = kernels.pack_integers(addresses)
    starts = (record[1], layout[1], integers[1])
    numbers = (real(_number(decay, decay_value)), real(_number(rate, rate_value)), inverse)
    if workers == 1:
        kernels.backward(*starts, 0, 1, *numbers)
        kernels.reduce(*starts, 0, 1, inverse)
    else:
        with threads.parallel(workers):
            kernels.backward_parallel(*starts, workers, *numbers)
    del record, layout, integers
    return results


def _new(shape: Sequence[Size], like: Tensor) -> Tensor:
    return like.new_empty(shape)


def empty_gradients(
    gradient: Tensor,
    given: Given,
    wants_scalars: bool,
    empty: Callable[[Sequence[Size], Tensor], Tensor] = _new,
) -> tuple[Tensor | None, ...]:
    """Allocate the gradients of drive, W, gain, bias, preliminary gain and bias, h(0), A(0) and (λ, η), in this order.

    `Addresses` ends with the same. The large ones are made by `empty`.
    """
    norm, preliminary, has_hidden, has_memory = given
    batch, _, size = gradient.shape
    new = gradient.new_empty
    return (
        empty(gradient.shape, gradient),
        new(size, size),
        new(size) if norm else None,
        new(size) if norm else None,
        new(size) if preliminary else None,
        new(size) if preliminary else None,
        new(batch, size) if has_hidden else None,
        empty((batch, size, size), gradient) if has_memory else None,
        new(2) if wants_scalars else None,
    )
