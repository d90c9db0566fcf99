"""What the layers that step through time in PyTorch share: one loop, with padding."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from fastweights.nn.backbone import Backbone, Input, StepInput
from fastweights.ops import padding


class Unrolled(Backbone):
    """A recurrence written as one cell, whose input part is computed for all steps at once.

    The first field of the state is the hidden vector, which is also the output.
    """

    takes_classes = True

    @abstractmethod
    def drive(
        self, x: Float[Tensor, "*any input"] | Integer[Tensor, "*any"]
    ) -> Float[Tensor, "*any drive"]:
        """Return what the input contributes to the cell, for any number of steps at once."""

    @abstractmethod
    def cell(self, drive: Float[Tensor, "batch drive"], state: Any) -> Any:
        """Return the state after one step; `opened` and `closed` stand around the loop."""

    def opened(self, state: Any) -> Any:
        """Return a state in the form that the cell works on."""
        return state

    def closed(self, state: Any) -> Any:
        """Return the cell's form of a state as the caller's."""
        return state

    def run(
        self,
        x: Input,
        state: Any,
        mask: Bool[Tensor, "batch time"] | None,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time hidden"], Any]:
        if mask is not None:
            padding.lengths_and_shift(mask)  # refuses padding between real steps
        state = self._open(x, state)
        outputs = []
        for t, drive in enumerate(self.drive(x).unbind(1)):
            after = self.cell(drive, state)
            state = after if mask is None else _where(mask[:, t], after, state)
            outputs.append(state[0])
        y = torch.stack(outputs, 1)
        if mask is not None:
            y = y.masked_fill(~mask[:, :, None], 0)
        return y, self.closed(state)

    def run_step(self, x: StepInput, state: Any) -> tuple[Float[Tensor, "batch hidden"], Any]:
        state = self.cell(self.drive(x), self._open(x, state))
        return state[0], self.closed(state)

    def _open(self, x: Tensor, state: Any) -> Any:
        return self.opened(self.initial_state(x.shape[0]) if state is None else state)


def _where(real: Bool[Tensor, " batch"], after: Any, before: Any) -> Any:
    """Take the new state of the rows whose step is real, the old one of the others."""
    pairs = zip(after, before, strict=True)
    return type(after)(
        *(torch.where(real.view(-1, *[1] * (new.dim() - 1)), new, old) for new, old in pairs)
    )
