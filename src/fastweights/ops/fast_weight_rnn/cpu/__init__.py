"""The fused backend on the CPU: the whole sequence in one operator, forward and backward written by hand.

Batch rows are the vector lanes; the recurrence runs in attention form within a chunk of time, and A is made at chunk
borders alone. See `forward` and `backward` for the equations. Nothing here imports Numba, which is slow, before `run`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.fast_weight_rnn.options import Inputs, Options


def run(inputs: Inputs, options: Options) -> Float[Tensor, "batch time hidden"]:
    """Return h(1) … h(T).

    Raises:
        Unavailable: if a kernel does not compile on this machine.
        RuntimeError: from autograd, if a second derivative is asked for.

    Example:
        >>> run(Inputs(torch.ones(2, 5, 3), torch.eye(3), decay=0.95, rate=0.5), Options()).shape
        torch.Size([2, 5, 3])
    """
    from fastweights.kernels.launcher import warmup
    from fastweights.ops.fast_weight_rnn.cpu import launch, operators, plan

    drive, recurrent_weight, decay, rate, gain, bias, first_gain, first_bias, *_ = inputs
    if not torch.compiler.is_compiling():
        warmup(launch.passes, drive.dtype)
    time, size = drive.shape[1:]
    decay_tensor, decay_value = (decay, 0.0) if isinstance(decay, Tensor) else (None, float(decay))
    rate_tensor, rate_value = (rate, 0.0) if isinstance(rate, Tensor) else (None, float(rate))
    call = launch.Arguments(
        drive,
        recurrent_weight,
        gain,
        bias,
        first_gain,
        first_bias,
        hidden=inputs.hidden,
        memory=inputs.memory,
        decay=decay_tensor,
        rate=rate_tensor,
        decay_value=decay_value,
        rate_value=rate_value,
        steps=options.inner_steps,
        use_tanh=options.nonlinearity == "tanh",
        flat=options.form == "flat",
        norm_eps=options.norm_eps,
        chunk=plan.pick_chunk(time, size) if options.chunk is None else options.chunk,
    )
    return operators.recurrence(call)[0]
