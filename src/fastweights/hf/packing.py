"""Texts packed into rows, taken apart so that each has a row, and so a state, of its own; and put back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from fastweights import state as states
from fastweights.errors import UserError

Marks = Integer[Tensor, "batch time"] | None


class Packed(NamedTuple):
    """Where the real steps of packed rows go, one text to a row.

    Attributes:
        starts: [batch, time], True = the first step of a text that another one of its row stands before.
        steps: [steps], the real steps, counted through all rows.
        source: [texts, longest], which step of the packed rows stands there (0 where none does).
        mask: [texts, longest], True = one does.
        row: [texts], the packed row that a text is of.
    """

    starts: Bool[Tensor, "batch time"]
    steps: Int[Tensor, " steps"]
    source: Int[Tensor, "texts longest"]
    mask: Bool[Tensor, "texts longest"]
    row: Int[Tensor, " texts"]

    def tokens(self, tokens: Integer[Tensor, "batch time"]) -> Integer[Tensor, "texts longest"]:
        """Return the tokens, one text to a row."""
        return tokens.flatten()[self.source]

    def before(self, state: object) -> object:
        """Return the states before the texts: the first of a row goes on from the row's, the others from zeros."""
        later = torch.ones_like(self.row, dtype=torch.bool)
        later[1:] = self.row[1:] == self.row[:-1]
        later[0] = False
        return states.reset(states.select(state, self.row), later)

    def after(self, state: object) -> object:
        """Return the states of the packed rows: that of each one's last text."""
        return states.select(state, torch.bincount(self.row).cumsum(0) - 1)

    def put_back(
        self, logits: Float[Tensor, "steps classes"]
    ) -> Float[Tensor, "batch time classes"]:
        """Return what was made for each real step where that step stands; padding gets 0."""
        whole = logits.new_zeros(self.starts.numel(), logits.shape[-1])
        return whole.index_copy(0, self.steps, logits).unflatten(0, self.starts.shape)


def find(
    mask: Bool[Tensor, "batch time"],
    position_ids: Marks = None,
    seq_idx: Marks = None,
    *bounds: Integer[Tensor, " cuts"] | None,
) -> Packed | None:
    """Find the texts of packed rows.

    Args:
        mask: [batch, time], True = a real step.
        position_ids: [batch, time] or [1, time], where in its text a step is: 0 begins one.
        seq_idx: the same shapes, which text it is of.
        bounds: [texts + 1], where each text of a single row begins, and where the last one ends.

    Returns:
        None where no row has more than one text.

    Raises:
        UserError: for other shapes, positions that jump, or bounds that do not go from 0 to the row's end.

    Example:
        >>> packed = find(torch.ones(1, 5, dtype=torch.bool), torch.tensor([[0, 1, 2, 0, 1]]))
        >>> packed.tokens(torch.tensor([[7, 8, 9, 4, 5]])).tolist(), packed.mask.tolist()
        ([[7, 8, 9], [4, 5, 7]], [[True, True, True], [True, True, False]])
    """
    starts = torch.zeros_like(mask)
    if position_ids is not None:
        starts |= _at_position_0(_rows("position_ids", position_ids, mask), mask)
    if seq_idx is not None:
        ids = _rows("seq_idx", seq_idx, mask)
        starts[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    for cuts in bounds:
        if cuts is not None:
            starts |= _at_bounds(cuts, mask)
    starts &= mask & (mask.cumsum(1) > 1)  # a row's first real step goes on from its state
    return _taken_apart(starts, mask) if starts.any() else None


def _rows(name: str, given: Tensor, mask: Tensor) -> Tensor:
    """Return one number for each step, which one row may stand for all rows of."""
    batch, time = mask.shape
    if given.dim() != 2 or given.shape[0] not in (1, batch) or given.shape[1] != time:
        raise UserError(f"{name} has shape {list(given.shape)}; accepted: [{batch}, {time}]")
    return given.expand(batch, time)


def _at_position_0(positions: Tensor, mask: Tensor) -> Tensor:
    """Mark the real steps at position 0; every other one must be one behind the one before it."""
    both = mask[:, 1:] & mask[:, :-1]
    jumps = both & (positions[:, 1:] != 0) & (positions[:, 1:] != positions[:, :-1] + 1)
    if jumps.any():
        row, step = (int(place) for place in jumps.nonzero()[0])
        one, other = (int(positions[row, step + ahead]) for ahead in (0, 1))
        raise UserError(
            f"position_ids go from {one} to {other} in row {row}; "
            "accepted: one on at each step, and 0 where a text begins"
        )
    return positions == 0


def _at_bounds(cuts: Tensor, mask: Tensor) -> Tensor:
    """Mark the steps at which a text begins."""
    batch, time = mask.shape
    whole = batch == 1 and cuts.dim() == 1 and cuts.numel() > 1
    if not whole or cuts[0] != 0 or cuts[-1] != time or (cuts.diff() < 0).any():
        raise UserError(
            f"cu_seq_lens are {cuts.tolist()} for input_ids of [{batch}, {time}]; "
            "accepted: where each text of a single row begins, from 0, and at last its length"
        )
    starts = torch.zeros_like(mask[0])
    starts[cuts[cuts < time].long()] = True
    return starts[None]


def _taken_apart(starts: Tensor, mask: Tensor) -> Packed:
    """Lay out the texts that begin at `starts`, and in every row at its front, behind one another."""
    begins = starts.clone()
    begins[:, 0] = True
    steps = mask.flatten().nonzero().squeeze(1)
    text = (begins.flatten().cumsum(0) - 1)[steps]
    row = begins.nonzero()[:, 0]
    lengths = torch.bincount(text, minlength=len(row))
    place = torch.arange(len(steps), device=mask.device) - (lengths.cumsum(0) - lengths)[text]
    source = torch.zeros(len(row), int(lengths.max()), dtype=torch.long, device=mask.device)
    source[text, place] = steps
    real = torch.arange(source.shape[1], device=mask.device) < lengths[:, None]
    return Packed(starts, steps, source, real, row)
