"""The fused backend on the CPU: the whole sequence in one operator, forward and backward written by hand.

Batch rows are the vector lanes; the recurrence runs in attention form within a chunk of time, and A is made at chunk
borders alone. See `cpu_forward` and `cpu_backward` for the equations.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.kernels import launcher, ready
from fastweights.ops.fast_weight_rnn.cpu.launch import Arguments, entries
from fastweights.ops.fast_weight_rnn.cpu.operators import recurrence
from fastweights.ops.fast_weight_rnn.options import Inputs, Options

available = ready.available


def supports(drive: Tensor, **facts: object) -> str | None:
    """Say in a line why the kernels cannot run data like this; None if they can."""
    if drive.device.type != "cpu":
        return f"the tensors are on {drive.device}"
    if drive.dtype not in ready.DTYPES:
        return f"the tensors are {drive.dtype}; accepted: torch.float32, torch.float64"
    return None


def warmup(dtype: torch.dtype = torch.float32) -> None:
    """Compile the kernels ahead, forward and backward, for torch's present number of threads.

    Raises:
        CompileError: if one does not compile.
    """
    launcher.warmup(entries, dtype)


def pick_chunk(time: int, hidden: int) -> int:
    """Return the steps between makings of A: one chunk while its history is cheaper to read than A (measured)."""
    return time if time <= 3 * hidden // 4 else max(16, min(32, hidden // 2))


def run(inputs: Inputs, options: Options) -> Float[Tensor, "batch time hidden"]:
    """Return h(1) … h(T).

    Raises:
        CompileError: at the first call, if a kernel does not compile on this machine.
        RuntimeError: from autograd, if a second derivative is asked for.

    Example:
        >>> run(Inputs(torch.ones(2, 5, 3), torch.eye(3), decay=0.95, rate=0.5), Options()).shape
        torch.Size([2, 5, 3])
    """
    drive, recurrent_weight, decay, rate, *norms, hidden, memory, _ = inputs
    if not torch.compiler.is_compiling():
        warmup(drive.dtype)
    time, size = drive.shape[1:]
    decay_tensor, decay_value = (decay, 0.0) if isinstance(decay, Tensor) else (None, float(decay))
    rate_tensor, rate_value = (rate, 0.0) if isinstance(rate, Tensor) else (None, float(rate))
    call = Arguments(
        drive,
        recurrent_weight,
        *norms,
        hidden,
        memory,
        decay_tensor,
        rate_tensor,
        decay_value,
        rate_value,
        options.inner_steps,
        options.nonlinearity == "tanh",
        options.form == "flat",
        options.norm_eps,
        pick_chunk(time, size) if options.chunk is None else options.chunk,
    )
    return recurrence(call)[0]
