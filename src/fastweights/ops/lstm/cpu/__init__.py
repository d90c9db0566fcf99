"""The fused backend on the CPU: the whole sequence in one operator, forward and backward written by hand.

See `forward` and `backward` for the equations. Nothing here imports Numba, which is slow, before `run`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fastweights.ops.lstm.options import Inputs, Options


def run(inputs: Inputs, options: Options) -> tuple[Tensor, Tensor, Tensor]:
    """Return h(1) … h(T), and h and c at each row's length.

    Raises:
        Unavailable: if a kernel does not compile on this machine.
        RuntimeError: from autograd, if a second derivative is asked for.
    """
    from fastweights.kernels.launcher import warmup
    from fastweights.ops.autograd import needs_saved
    from fastweights.ops.lstm.cpu import launch, operators

    gates, recurrent_weight, classes, hidden, cell, padding = inputs
    if not torch.compiler.is_compiling():
        warmup(launch.passes, gates.dtype)
    lengths = None if padding is None else padding.lengths
    tensors = (gates, classes, recurrent_weight, hidden, cell, lengths)
    outputs, last_hidden, last_cell = operators.recurrence(
        launch.Arguments(*tensors, keep=needs_saved(tensors))
    )
    return outputs, last_hidden, last_cell
