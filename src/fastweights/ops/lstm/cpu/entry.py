"""The door to the fused processor kernels, which are imported when first asked for: Numba is slow to import."""

from __future__ import annotations

import torch
from torch import Tensor

from fastweights.kernels import launcher, ready
from fastweights.ops.dispatch import Unavailable
from fastweights.ops.lstm.options import Inputs, Options

available, supports = ready.available, ready.supports


def run(inputs: Inputs, options: Options) -> tuple[Tensor, Tensor, Tensor]:
    """Return h(1) … h(T), and h and c at each row's length.

    Raises:
        Unavailable: if a kernel does not compile.
    """
    from fastweights.kernels.compile import CompileError
    from fastweights.ops.autograd import needs_saved
    from fastweights.ops.lstm.cpu.launch import Arguments
    from fastweights.ops.lstm.cpu.operators import recurrence

    gates, recurrent_weight, classes, hidden, cell, padding = inputs
    lengths = None if padding is None else padding.lengths
    tensors = (gates, classes, recurrent_weight, hidden, cell, lengths)

    try:
        if not torch.compiler.is_compiling():
            warmup(gates.dtype)
        return recurrence(Arguments(*tensors, keep=needs_saved(tensors)))
    except CompileError as error:
        raise Unavailable(str(error)) from error


def warmup(dtype: torch.dtype = torch.float32) -> None:
    """Compile the kernels ahead, forward and backward, for torch's present number of threads.

    Raises:
        CompileError: if one does not compile.
    """
    from fastweights.ops.lstm.cpu.launch import entries

    launcher.warmup(entries, dtype)
