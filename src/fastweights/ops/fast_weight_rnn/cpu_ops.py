"""The fused recurrence as two torch operators, so that autograd, `torch.compile` and export know it.

    fastweights::fast_weight_rnn_forward(drive, W, …) -> (outputs, saved)
    fastweights::fast_weight_rnn_backward(∂outputs, saved, W, …) -> (∂drive, ∂W, ∂parameters, ∂h(0), ∂A(0))

`saved` is what the backward needs of the forward, in the kernels' own layout. ∂parameters holds the gradients of gain,
bias, preliminary gain and preliminary bias, then those of λ and η.
"""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor

from fastweights.kernels import threads
from fastweights.ops.fast_weight_rnn.cpu_plan import (
    Addresses,
    Plan,
    make_backward_plan,
    make_plan,
)

_local = threading.local()


def plan_of(
    drive: Tensor,
    norm: bool,
    preliminary: bool,
    hidden: bool,
    memory: bool,
    steps: int,
    use_tanh: bool,
    flat: bool,
    chunk: int,
) -> Plan:
    """Lay out a call; see `Plan`."""
    from fastweights.kernels.isa import host

    isa = host()
    batch, time, size = drive.shape
    return make_plan(
        batch,
        time,
        size,
        steps=steps,
        lanes=isa.vector_bytes // drive.element_size(),
        rows=isa.rows,
        chunk=min(chunk, time),
        flat=flat,
        use_tanh=use_tanh,
        norm=norm,
        preliminary=preliminary,
        has_hidden=hidden,
        has_memory=memory,
    )


def _scratch(size: int, like: Tensor) -> Tensor:
    """Return this thread's scratch memory: never handed out, so a call finds it free."""
    name = str(like.dtype)
    buffer = getattr(_local, name, None)
    if buffer is None or buffer.numel() < size:
        buffer = like.new_empty(size)
        setattr(_local, name, buffer)
    return buffer


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _packed(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _number(tensor: Tensor | None, value: float) -> float:
    return value if tensor is None else tensor.item()


@torch.library.custom_op("fastweights::fast_weight_rnn_forward", mutates_args=())
def forward_op(
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
    """Run the forward; λ and η come as a tensor or, where that is None, as a number."""
    from fastweights.kernels.record import pack_integers
    from fastweights.ops.fast_weight_rnn import cpu_forward

    drive = drive.contiguous()
    recurrent_weight = recurrent_weight.contiguous()
    norm_weight, norm_bias = _packed(norm_weight), _packed(norm_bias)
    first_weight, first_bias = _packed(preliminary_norm_weight), _packed(preliminary_norm_bias)
    hidden, memory = _packed(hidden), _packed(memory)
    plan = plan_of(
        drive,
        norm_weight is not None,
        first_weight is not None,
        hidden is not None,
        memory is not None,
        steps,
        use_tanh,
        flat,
        chunk,
    )
    outputs = torch.empty_like(drive)
    saved = drive.new_empty(plan.blocks * plan.saved_stride)
    workers = threads.count(plan.blocks)
    scratch = _scratch(workers * plan.forward_stride, drive)
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
    integers, starts = pack_integers(plan, addresses)
    real = _real(drive)
    numbers = (
        real(_number(decay, decay_value)),
        real(_number(rate, rate_value)),
        real(norm_eps),
        real(1 / plan.hidden),
    )
    if workers == 1:
        cpu_forward.forward(*starts, 0, 1, *numbers)
    else:
        with threads.parallel(workers):
            cpu_forward.forward_parallel(*starts, workers, *numbers)
    del integers
    return outputs, saved


def _real(like: Tensor) -> Any:
    import numpy as np

    return np.float32 if like.dtype == torch.float32 else np.float64


@torch.library.custom_op("fastweights::fast_weight_rnn_backward", mutates_args=())
def backward_op(
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
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Run the backward; gradients of what was not given are empty."""
    from fastweights.kernels.record import pack_integers
    from fastweights.ops.fast_weight_rnn import cpu_backward

    gradient = gradient.contiguous()
    saved = saved.contiguous()
    recurrent_weight = recurrent_weight.contiguous()
    norm_weight, first_weight = _packed(norm_weight), _packed(preliminary_norm_weight)
    plan = plan_of(
        gradient,
        norm_weight is not None,
        first_weight is not None,
        has_hidden,
        has_memory,
        steps,
        use_tanh,
        flat,
        chunk,
    )
    workers = threads.count(plan.blocks)
    layout, size = make_backward_plan(plan, wants_scalars, workers)
    scratch = _scratch(size, gradient)
    results = _empty_gradients(gradient, has_hidden, has_memory)
    drive_gradient, weight_gradient, parameters, hidden_gradient, memory_gradient = results
    addresses = Addresses(
        recurrent_weight=recurrent_weight.data_ptr(),
        norm_weight=_address(norm_weight),
        norm_bias=0,
        preliminary_norm_weight=_address(first_weight),
        preliminary_norm_bias=0,
        hidden=0,
        memory=0,
        saved=saved.data_ptr(),
        scratch=scratch.data_ptr(),
        gradient=gradient.data_ptr(),
        drive_gradient=drive_gradient.data_ptr(),
        weight_gradient=weight_gradient.data_ptr(),
        parameter_gradients=parameters.data_ptr(),
        hidden_gradient=hidden_gradient.data_ptr(),
        memory_gradient=memory_gradient.data_ptr(),
    )
    integers, starts = pack_integers(plan, layout, addresses)
    real = _real(gradient)
    inverse = real(1 / plan.hidden)
    numbers = (real(_number(decay, decay_value)), real(_number(rate, rate_value)), inverse)
    if workers == 1:
        cpu_backward.backward(*starts, 0, 1, *numbers)
        cpu_backward.reduce(*starts, 0, 1, inverse)
    else:
        with threads.parallel(workers):
            cpu_backward.backward_parallel(*starts, workers, *numbers)
    del integers
    return results


def _empty_gradients(
    gradient: Tensor, has_hidden: bool, has_memory: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    batch, _, size = gradient.shape
    return (
        gradient.new_empty(gradient.shape),
        gradient.new_empty(size, size),
        gradient.new_empty(4 * size + 2),
        gradient.new_empty((batch, size) if has_hidden else (0,)),
        gradient.new_empty((batch, size, size) if has_memory else (0,)),
    )


@forward_op.register_fake
def _(
    drive, recurrent_weight, norm_weight, norm_bias, preliminary_norm_weight, preliminary_norm_bias, hidden, memory,
    decay, rate, decay_value, rate_value, steps, use_tanh, flat, norm_eps, chunk,
):  # fmt: skip
    plan = plan_of(
        drive,
        norm_weight is not None,
        preliminary_norm_weight is not None,
        hidden is not None,
        memory is not None,
        steps,
        use_tanh,
        flat,
        chunk,
    )
    return drive.new_empty(drive.shape), drive.new_empty(plan.blocks * plan.saved_stride)


@backward_op.register_fake
def _(
    gradient, saved, recurrent_weight, norm_weight, preliminary_norm_weight, decay, rate, decay_value, rate_value,
    steps, use_tanh, flat, chunk, has_hidden, has_memory, wants_scalars,
):  # fmt: skip
    return _empty_gradients(gradient, has_hidden, has_memory)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    (drive, weight, gain, _, first_gain, _, hidden, memory, decay, rate, *options) = inputs
    decay_value, rate_value, steps, use_tanh, flat, _, chunk = options
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1], weight, gain, first_gain, decay, rate)
    ctx.options = (decay_value, rate_value, steps, use_tanh, flat, chunk)
    ctx.given = (hidden is not None, memory is not None)


def _differentiate(ctx: Any, gradient: Tensor | None, _saved: None) -> tuple[Any, ...]:
    if gradient is None:
        return (None,) * 17
    saved, weight, gain, first_gain, decay, rate = ctx.saved_tensors
    wants = ctx.needs_input_grad
    drive_gradient, weight_gradient, parameters, hidden_gradient, memory_gradient = backward_op(
        gradient,
        saved,
        weight,
        gain,
        first_gain,
        decay,
        rate,
        *ctx.options,
        *ctx.given,
        wants[8] or wants[9],
    )
    size = weight.shape[0]
    gains = [parameters[k * size : (k + 1) * size] if wants[2 + k] else None for k in range(4)]
    return (
        drive_gradient,
        weight_gradient,
        *gains,
        hidden_gradient if wants[6] else None,
        memory_gradient if wants[7] else None,
        parameters[4 * size].to(decay.dtype) if wants[8] else None,
        parameters[4 * size + 1].to(rate.dtype) if wants[9] else None,
        *(None,) * 7,
    )


def _no_second_derivative(ctx: Any, *gradients: Any) -> Any:
    raise RuntimeError(
        "the fused fast-weights RNN has no second derivative; use backend='chunked' for it"
    )


forward_op.register_autograd(_differentiate, setup_context=_keep)
backward_op.register_autograd(_no_second_derivative)
