"""One time step of the fast-weights RNN, with A written out."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from fastweights.ops.fast_weight_rnn import reference


def step(
    drive: Float[Tensor, "batch hidden"],
    recurrent_weight: Float[Tensor, "hidden hidden"],
    *,
    hidden: Float[Tensor, "batch hidden"],
    memory: Float[Tensor, "batch hidden hidden"],
    decay: float | Float[Tensor, ""],
    rate: float | Float[Tensor, ""],
    inner_steps: int,
    **options: object,
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden hidden"]]:
    """Return h(t) and A(t) from h(t-1) and A(t-1); arguments as `fast_weight_rnn` documents them.

    It costs less than `fast_weight_rnn` over one step: nothing is checked, cast or resolved.
    """
    iterates = next(
        reference.steps(
            drive[:, None],
            recurrent_weight,
            hidden=hidden,
            memory=memory,
            decay=decay,
            rate=rate,
            inner_steps=inner_steps,
            **options,
        )
    )
    h = iterates[-1]
    return h, reference.write(memory, h, decay, rate)
