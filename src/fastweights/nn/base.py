"""The protocol that every backbone follows, so that any backbone runs on any task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn


class Trace(NamedTuple):
    """What a backbone did with a sequence, step by step: the one way to look inside.

    Attributes:
        output: [batch, time, output], the backbone's output.
        hidden: [batch, time, hidden], the hidden state after each step.
        read_weights: [batch, time, reads, time], how much each read of step t takes from what an earlier step
            wrote; 0 above the causal diagonal. None for backbones that do not attend.
        memory: [batch, len(memory_steps), …], the fast memory after the chosen steps; None where there is none.
        memory_steps: the steps (0-based) at which `memory` was taken.
        state: the state after the last step.
    """

    output: Float[Tensor, "batch time output"]
    hidden: Float[Tensor, "batch time hidden"]
    read_weights: Float[Tensor, "batch time reads past"] | None
    memory: Float[Tensor, "batch steps ..."] | None
    memory_steps: tuple[int, ...]
    state: Any


class Backbone(nn.Module, ABC):
    """A causal sequence layer with a carried state.

    `y, state = backbone(x, state)` maps x [batch, time, input] to y [batch, time, output]. The state is all there is
    to carry: a sequence fed whole, split anywhere, or token by token gives the same outputs, and rows of a batch
    never see each other.
    """

    input_size: int
    output_size: int

    @abstractmethod
    def initial_state(self, batch: int) -> Any:
        """Return the zero state of `batch` rows, with the device and dtype of the parameters."""

    @abstractmethod
    def forward(
        self,
        x: Float[Tensor, "*batch time input"],
        state: Any = None,
        *,
        mask: Bool[Tensor, "batch time"] | None = None,
    ) -> tuple[Float[Tensor, "*batch time output"], Any]:
        """Run a whole sequence from `state` (None: zeros); see the class for shapes."""

    @abstractmethod
    def step(
        self, x: Float[Tensor, "batch input"], state: Any = None
    ) -> tuple[Float[Tensor, "batch output"], Any]:
        """Run one time step in constant time and memory."""

    @abstractmethod
    def trace(
        self,
        x: Float[Tensor, "batch time input"],
        state: Any = None,
        memory_steps: Sequence[int] | None = None,
    ) -> Trace:
        """Run a sequence and keep what happened inside; `memory_steps` None means every step."""
