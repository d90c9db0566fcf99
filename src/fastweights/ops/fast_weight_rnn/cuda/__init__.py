"""The fused backend on CUDA: a program a row of the batch runs the whole sequence, backward written by hand.

See `forward` and `backward` for the equations. Nothing here imports Triton before `run`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.kernels.triton import ready
from fastweights.ops.fast_weight_rnn.options import Inputs, Options

LARGEST = 128
"""Hidden units of which W, A and what a step needs fit a program's registers."""


def supports(tensor: Tensor, **facts: object) -> str | None:
    """Return in a line why the kernels do not run such a call; None if they do."""
    size = facts.get("hidden", 0)
    if isinstance(size, int) and size > LARGEST:
        return f"there are {size} hidden units; accepted: {LARGEST} or fewer"
    return ready.supports(tensor)


def run(inputs: Inputs, options: Options) -> Float[Tensor, "batch time hidden"]:
    """Return h(1) … h(T); `options.chunk` is ignored.

    Raises:
        Unavailable: if a kernel does not compile on this machine.
        RuntimeError: from autograd, if a second derivative is asked for.
    """
    from fastweights.ops.autograd import needs_saved
    from fastweights.ops.fast_weight_rnn.cuda import launch, operators

    drive = inputs.drive
    decay, rate = (
        x if isinstance(x, Tensor) else torch.full((), x, dtype=drive.dtype, device=drive.device)
        for x in (inputs.decay, inputs.rate)
    )
    tensors = (*inputs[:2], *inputs[4:8], inputs.hidden, inputs.memory, decay, rate)
    call = launch.Arguments(
        *tensors,
        steps=options.inner_steps,
        use_tanh=options.nonlinearity == "tanh",
        flat=options.form == "flat",
        norm_eps=options.norm_eps,
        save=needs_saved(tensors),
    )
    return operators.recurrence(call)[0]
