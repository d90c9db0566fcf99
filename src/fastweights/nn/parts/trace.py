"""A backbone's run over a sequence, recorded step by step."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor


class Trace(NamedTuple):
    """A backbone's run over a sequence, recorded step by step.

    Attributes:
        output: [batch, time, output], the backbone's output.
        hidden: [batch, time, hidden], the hidden state after each step.
        read_weights: [batch, time, reads, time], how much each read of step t takes from what an
            earlier step wrote; 0 above the causal diagonal. None for backbones that do not attend.
        memory: [batch, len(memory_steps), …], the fast memory after the chosen steps; None where
            there is none.
        memory_steps: the steps (0-based) at which `memory` was taken.
        state: the state after the last step.
    """

    output: Float[Tensor, "batch time output"]
    hidden: Float[Tensor, "batch time hidden"]
    read_weights: Float[Tensor, "batch time reads past"] | None
    memory: Float[Tensor, "batch steps ..."] | None
    memory_steps: tuple[int, ...]
    state: Any
