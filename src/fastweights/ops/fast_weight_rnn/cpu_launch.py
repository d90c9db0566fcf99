"""How the kernels are started: memory laid out, addresses collected, threads counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fastweights.kernels import memory as memory_pool
from fastweights.kernels import threads
from fastweights.ops.fast_weight_rnn.cpu_plan import (
    Addresses,
    Plan,
    make_backward_plan,
    make_plan,
)

Given = tuple[bool, bool, bool, bool]  # norm, preliminary norm, h(0), A(0)
REALS = {torch.float32: np.float32, torch.float64: np.float64}


def plan_of(
    drive: Tensor,
    given: Given,
    steps: int,
    use_tanh: bool,
    flat: bool,
    chunk: int,
    make: Callable[..., Plan] = make_plan,
) -> Plan:
    """Lay out a call; see `Plan`. Symbolic sizes need a `make` that does not remember its results."""
    isa = _kernels().host()
    norm, preliminary, has_hidden, has_memory = given
    batch, time, size = drive.shape
    return make(
        batch,
        time,
        size,
        steps=steps,
        lanes=isa.vector_bytes // drive.element_size(),
        rows=isa.pair,
        chunk=min(chunk, time),
        flat=flat,
        use_tanh=use_tanh,
        norm=norm,
        preliminary=preliminary,
        has_hidden=has_hidden,
        has_memory=has_memory,
    )


@cache
def _kernels() -> Any:
    """Import what needs Numba, once it is needed."""
    return import_module("fastweights.ops.fast_weight_rnn.cpu_kernels")


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
    plan = plan_of(drive, given, steps, use_tanh, flat, chunk)
    outputs = torch.empty_like(drive)
    saved = memory_pool.take(plan.blocks * plan.saved_stride, drive)
    workers = threads.count(plan.blocks)
    scratch = memory_pool.take(workers * plan.forward_stride, drive)
    addresses = Addresses(
        recurrent_weight=recurrent_weight.data_ptr(),
        norm_weight=_address(norm_weight),
        norm_bias=_address(norm_bias),
        preliminary_norm_weight=_address(first_weight),
        preliminary_norm_bias=_address(first_bias),
        hidden=_address(hidden),
        memory=_address(memory),
        saved=saved.data_ptr(),
        scratch=scratch.data_ptr(),
        drive=drive.data_ptr(),
        outputs=outputs.data_ptr(),
    )
    fixed, plan_at = kernels.constant(plan)
    integers, addresses_at = kernels.pack_integers(addresses)
    real = REALS[drive.dtype]
    numbers = (
        real(_number(decay, decay_value)),
        real(_number(rate, rate_value)),
        real(norm_eps),
        real(1 / plan.hidden),
    )
    if workers == 1:
        kernels.forward(plan_at, addresses_at, 0, 1, *numbers)
    else:
        with threads.parallel(workers):
            kernels.forward_parallel(plan_at, addresses_at, workers, *numbers)
    del fixed, integers  # kept until here: the kernels read them
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
    plan = plan_of(gradient, given, steps, use_tanh, flat, chunk)
    workers = threads.count(plan.blocks)
    layout, size = make_backward_plan(plan, wants_scalars, workers)
    scratch = memory_pool.take(size, gradient)
    results = empty_gradients(gradient, given, wants_scalars)
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
    fixed, plan_at = kernels.constant(plan)
    more, layout_at = kernels.constant(layout)
    integers, addresses_at = kernels.pack_integers(addresses)
    starts = (plan_at, layout_at, addresses_at)
    real = REALS[gradient.dtype]
    inverse = real(1 / plan.hidden)
    numbers = (real(_number(decay, decay_value)), real(_number(rate, rate_value)), inverse)
    if workers == 1:
        kernels.backward(*starts, 0, 1, *numbers)
        kernels.reduce(*starts, 0, 1, inverse)
    else:
        with threads.parallel(workers):
            kernels.backward_parallel(*starts, workers, *numbers)
    del fixed, more, integers
    return results


def empty_gradients(
    gradient: Tensor,
    given: Given,
    wants_scalars: bool,
) -> tuple[Tensor | None, ...]:
    """Allocate the gradients of drive, W, gain, bias, preliminary gain and bias, h(0), A(0) and (λ, η), in this order.

    `Addresses` ends with the same.
    """
    norm, preliminary, has_hidden, has_memory = given
    batch, _, size = gradient.shape
    new = gradient.new_empty
    return (
        new(gradient.shape),
        new(size, size),
        new(size) if norm else None,
        new(size) if norm else None,
        new(size) if preliminary else None,
        new(size) if preliminary else None,
        new(batch, size) if has_hidden else None,
        new(batch, size, size) if has_memory else None,
        new(2) if wants_scalars else None,
    )
