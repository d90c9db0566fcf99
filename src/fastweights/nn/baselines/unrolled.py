"""The loop over time for layers written as one cell in plain PyTorch, with padding."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar, cast

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn

from fastweights import state as states
from fastweights.nn.backbone import Backbone, Input, Mask, S, StepInput
from fastweights.nn.parts.projection import project
from fastweights.ops import padding
from fastweights.ops.over_time import Others, over_time

C = TypeVar("C", bound=tuple[Tensor, ...])
"""The form of a state that a cell works on."""


class Unrolled(Backbone[S], Generic[S, C]):
    """A recurrence written as one cell, whose input part is computed for all steps at once.

    The first field of the cell's state is the hidden vector, which is also the output.
    """

    takes_classes = True
    hidden_size: int
    input: nn.Linear

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.hidden_size,),)

    def drive(
        self, x: Float[Tensor, "*any input"] | Integer[Tensor, "*any"]
    ) -> Float[Tensor, "*any drive"]:
        """Return what the input contributes to the cell, for any number of steps at once."""
        return project(self.input, x)

    @abstractmethod
    def cell(self, drive: Float[Tensor, "batch drive"], state: C) -> C:
        """Return the cell's state after one step."""

    def to_cell_state(self, state: S) -> C:
        """Return a state in the form that the cell works on: the same, in the parameters' dtype."""
        return cast("C", states.to(state, self.reference_parameter.dtype))

    def from_cell_state(self, state: C) -> S:
        """Return the caller's form of a cell's state."""
        return cast("S", state)

    def run(
        self, x: Input, state: S | None, mask: Mask, read_mask: Mask, need_state: bool
    ) -> tuple[Float[Tensor, "batch time hidden"], S | None]:
        if mask is not None:
            padding.lengths_and_shift(mask)  # refuses padding between real steps
        y, end = run_cell(self.cell, self._start(x, state), self.drive(x), mask)
        return y, self.from_cell_state(end)

    def run_step(self, x: StepInput, state: S | None) -> tuple[Float[Tensor, "batch hidden"], S]:
        after = self.cell(self.drive(x), self._start(x, state))
        return after[0], self.from_cell_state(after)

    def _start(self, x: Tensor, state: S | None) -> C:
        return self.to_cell_state(self.initial_state(x.shape[0]) if state is None else state)


def run_cell(
    cell: Callable[[Tensor, C], C], start: C, x: Float[Tensor, "batch time drive"], mask: Mask
) -> tuple[Float[Tensor, "batch time hidden"], C]:
    """Run a cell over time: its states' first fields, 0 at padded steps, and its state after each row's last real one.

    Args:
        cell: what the state is after a step, of the step's input and the state before it.
        start: the state before the first step.
        x: the input of each step.
        mask: True = real.
    """

    def advance(drive: Tensor, before: C) -> tuple[Tensor, C]:
        after = cell(drive, before)
        return after[0], after

    return run_reads(advance, start, x, mask)


def run_reads(
    advance: Callable[[Tensor, C], tuple[Tensor, C]],
    start: C,
    x: Float[Tensor, "batch time drive"],
    mask: Mask,
) -> tuple[Float[Tensor, "batch time hidden"], C]:
    """Run over time what returns its output and its state after a step; the rest is as `run_cell` has it."""

    def step(before: C, drive: Tensor, others: Others) -> tuple[C, tuple[Tensor, ...]]:
        (real,) = others
        y, after = advance(drive, before)
        return (after if real is None else _where(real, after, before)), (y,)

    end, (y,) = over_time(step, start, x, (mask,))
    return y if mask is None else y.masked_fill(~mask[:, :, None], 0), end


def _where(real: Bool[Tensor, " batch"], after: C, before: C) -> C:
    """Select the new state in the rows whose step is real, the old one in the others."""
    pairs = zip(after, before, strict=True)
    return type(after)(
        *(torch.where(real.view(-1, *[1] * (new.dim() - 1)), new, old) for new, old in pairs)
    )
