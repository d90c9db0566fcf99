"""The state that one segment of a text leaves to the next, in a form that a checkpoint can hold."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fastweights import state as states
from fastweights.runs.checkpoint import part, prefixed
from fastweights.training.engine.seeds import fork_rng

_PART = "carried"


class Carried:
    """The base of sources that train by truncated back-propagation through time over rows of text.

    Attributes:
        batch: rows of this process.
        carried: the state after the segment last taken, cut off its history; None: zeros.
    """

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.reset()

    def reset(self) -> None:
        """Begin the next segment at the zero state."""
        self.carried: object = None
        self._restored: list[Tensor] = []

    def probe(self, model: nn.Module) -> dict[str, float]:
        """Return nothing: there is no probe batch of a text."""
        return {}

    def start_state(self, model: nn.Module) -> object:
        """Return the state to go on from; after a restore, built in the form that the model has it."""
        if self._restored:
            tensors = iter(self._restored)
            self.carried = states.map_tensors(
                lambda tensor: next(tensors).to(tensor.device), _some_state(model, self.batch)
            )
            self._restored = []
        return self.carried

    def carry(self, state: object) -> None:
        """Keep a segment's last state for the next one's start."""
        self.carried = states.detach(state)

    def carried_tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the carried state, [rows, …] each, named in the order of its fields."""
        tensors = self._restored or states.tensors(self.carried)
        return prefixed(_PART, {f"{index:03d}": tensor for index, tensor in enumerate(tensors)})

    def restore_carried(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to what `carried_tensors` returned; other tensors are ignored."""
        self.reset()
        # Copies: what was read lies in the file's buffer.
        self._restored = [tensor.clone() for _, tensor in sorted(part(tensors, _PART).items())]


def _some_state(model: nn.Module, rows: int) -> object:
    """Return a state of the form that the model has."""
    zeros = getattr(model, "initial_state", None)
    if zeros is not None:
        return zeros(rows)
    device = next(model.parameters()).device
    # A dropout in it would draw, and what follows would not be as without a break.
    with torch.no_grad(), fork_rng(device):
        return model(torch.zeros(rows, 1, dtype=torch.long, device=device), None)[1]
