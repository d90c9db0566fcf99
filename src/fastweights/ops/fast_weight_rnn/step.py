"""One time step of the fast-weights RNN, with A written out."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from fastweights.ops.fast_weight_rnn import reference
from fastweights.ops.fast_weight_rnn.options import Inputs, Options


def step(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden hidden"]]:
    """Return h(1) and A(1) of inputs with one time step; the arguments are as `fast_weight_rnn` documents them.

    It costs less than `fast_weight_rnn` over one step: nothing is checked, cast or resolved.
    """
    h = next(reference.steps(inputs, options))[-1]
    return h, reference.write(inputs.memory, h, inputs.decay, inputs.rate)
