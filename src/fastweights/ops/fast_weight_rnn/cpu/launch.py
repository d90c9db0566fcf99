"""How the kernels are started: memory laid out, addresses collected, threads counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from torch import Tensor

from fastweights.kernels import memory as buffers
from fastweights.kernels import threads
from fastweights.kernels.isa import host
from fastweights.kernels.launcher import Entry, Passes, lanes, launch
from fastweights.kernels.layout import addresses_of
from fastweights.kernels.types import Size
from fastweights.ops.fast_weight_rnn.cpu.plan import (
    Addresses,
    Sizes,
    packed_backward_plan,
    packed_plan,
)


class Arguments(NamedTuple):
    """Inputs of a forward; λ and η as a tensor or, where that is None, as a number.

    Attributes:
        drive: x(t) [batch, time, hidden], the input's share of every step.
        recurrent_weight: W [hidden, hidden].
        norm_weight, norm_bias, preliminary_norm_weight, preliminary_norm_bias: [hidden].
        hidden, memory: h(0) [batch, hidden], A(0) [batch, hidden, hidden].
        decay, rate: λ and η, [].
        steps: inner steps S.
        use_tanh: whether f is tanh; else it is relu.
        flat: whether in the flat form, one read of h(t-1) a step.
        norm_eps: ε of the layer normalisations.
        chunk: steps between the makings of A.
    """

    drive: Tensor
    recurrent_weight: Tensor
    norm_weight: Tensor | None
    norm_bias: Tensor | None
    preliminary_norm_weight: Tensor | None
    preliminary_norm_bias: Tensor | None
    hidden: Tensor | None
    memory: Tensor | None
    decay: Tensor | None
    rate: Tensor | None
    decay_value: float
    rate_value: float
    steps: int
    use_tanh: bool
    flat: bool
    norm_eps: float
    chunk: int


class BackwardArguments(NamedTuple):
    """Inputs of a backward: the gradient of the outputs, what the forward left, and what is wanted."""

    gradient: Tensor
    saved: Tensor
    recurrent_weight: Tensor
    norm_weight: Tensor | None
    preliminary_norm_weight: Tensor | None
    decay: Tensor | None
    rate: Tensor | None
    decay_value: float
    rate_value: float
    steps: int
    use_tanh: bool
    flat: bool
    chunk: int
    has_hidden: bool
    has_memory: bool
    wants_decay: bool
    wants_rate: bool


@cache
def passes() -> Passes:
    """Import the kernels of both passes."""
    from fastweights.ops.fast_weight_rnn.cpu.backward import backward, backward_parallel
    from fastweights.ops.fast_weight_rnn.cpu.forward import forward, forward_parallel

    return Passes(
        Entry(forward, forward_parallel, records=2, reals=4),
        Entry(backward, backward_parallel, records=3, reals=3),
    )


def sizes_of(
    states: Tensor, call: Arguments | BackwardArguments, has_hidden: bool, has_memory: bool
) -> Sizes:
    """Return what the layout of a call follows from; `states` has the shape of its outputs."""
    batch, time, size = states.shape
    return Sizes(
        batch=batch,
        time=time,
        hidden=size,
        steps=1 if call.flat else call.steps,
        chunk=min(call.chunk, time),
        flat=call.flat,
        use_tanh=call.use_tanh,
        norm=call.norm_weight is not None,
        preliminary=call.preliminary_norm_weight is not None,
        has_hidden=has_hidden,
        has_memory=has_memory,
        lanes=lanes(states.dtype),
        rows=host().pair,
    )


def _number(tensor: Tensor | None, value: float) -> float:
    return value if tensor is None else tensor.item()


def run_forward(call: Arguments) -> tuple[Tensor, Tensor]:
    """Return the outputs [batch, time, hidden] and `saved`, which the backward takes."""
    drive = call.drive
    packed = packed_plan(sizes_of(drive, call, call.hidden is not None, call.memory is not None))
    plan = packed.record
    workers = threads.count(plan.blocks)
    outputs = buffers.empty(drive.shape, drive)
    saved = buffers.take(plan.blocks * plan.saved_stride, drive)
    scratch = buffers.take(workers * plan.forward_stride, drive)
    addresses = addresses_of(
        Addresses,
        drive=drive,
        recurrent_weight=call.recurrent_weight,
        norm_weight=call.norm_weight,
        norm_bias=call.norm_bias,
        preliminary_norm_weight=call.preliminary_norm_weight,
        preliminary_norm_bias=call.preliminary_norm_bias,
        hidden=call.hidden,
        memory=call.memory,
        saved=saved,
        scratch=scratch,
        outputs=outputs,
    )
    decay, rate = _number(call.decay, call.decay_value), _number(call.rate, call.rate_value)
    numbers = (decay, rate, call.norm_eps, 1 / plan.hidden)
    launch(passes().forward, (packed,), addresses, workers, drive.dtype, *numbers)
    return outputs, saved


def run_backward(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Return the gradients of the tensors of `Arguments`, None for what was not given or is not wanted."""
    gradient = call.gradient
    packed = packed_plan(sizes_of(gradient, call, call.has_hidden, call.has_memory))
    plan = packed.record
    workers = threads.count(plan.blocks)
    layout = packed_backward_plan(plan, call.wants_decay or call.wants_rate, workers)
    scratch = buffers.take(layout.record.size, gradient)
    results = empty_gradients(call, buffers.empty)
    drive, weight, gain, bias, first_gain, first_bias, hidden, memory, decay, rate = results
    addresses = addresses_of(
        Addresses,
        recurrent_weight=call.recurrent_weight,
        norm_weight=call.norm_weight,
        preliminary_norm_weight=call.preliminary_norm_weight,
        saved=call.saved,
        scratch=scratch,
        outputs_gradient=gradient,
        drive_gradient=drive,
        weight_gradient=weight,
        gain_gradient=gain,
        bias_gradient=bias,
        preliminary_gain_gradient=first_gain,
        preliminary_bias_gradient=first_bias,
        hidden_gradient=hidden,
        memory_gradient=memory,
        decay_gradient=decay,
        rate_gradient=rate,
    )
    numbers = (
        _number(call.decay, call.decay_value), _number(call.rate, call.rate_value), 1 / plan.hidden
    )  # fmt: skip
    launch(passes().backward, (packed, layout), addresses, workers, gradient.dtype, *numbers)
    return results


def _new(shape: Sequence[Size], like: Tensor) -> Tensor:
    return like.new_empty(shape)


def empty_gradients(
    call: BackwardArguments, empty: Callable[[Sequence[Size], Tensor], Tensor] = _new
) -> tuple[Tensor | None, ...]:
    """Allocate the gradients of the tensors of `Arguments`, the large ones by `empty`."""
    batch, _, size = call.gradient.shape
    new = call.gradient.new_empty
    norm, preliminary = call.norm_weight is not None, call.preliminary_norm_weight is not None
    return (
        empty(call.gradient.shape, call.gradient),
        new(size, size),
        new(size) if norm else None,
        new(size) if norm else None,
        new(size) if preliminary else None,
        new(size) if preliminary else None,
        new(batch, size) if call.has_hidden else None,
        empty((batch, size, size), call.gradient) if call.has_memory else None,
        new(()) if call.wants_decay else None,
        new(()) if call.wants_rate else None,
    )
