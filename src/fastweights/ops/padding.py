"""Padding: which steps of each row are real, and rows moved so that their real steps come first.

Masks are [batch, time] bool, True = real. The real steps of a row are one run at its front (suffix padding) or at its
end (prefix padding). Causal layers take suffix padding as it is, since what follows the last real step changes nothing
before it. So prefix padding is turned into suffix padding, and back.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from fastweights.errors import UserError


def lengths_and_shift(
    mask: Bool[Tensor, "batch time"],
) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
    """Measure a mask: how many steps of each row are real, and how many padded ones come before them.

    `to_front` moves each row by the second number, which is 0 where padding is at the end.

    Raises:
        UserError: if a row's real steps are not one run at its front or its end (not checked in a compiler or on meta).

    Example:
        >>> lengths, shift = lengths_and_shift(torch.tensor([[True, True, False], [False, True, True]]))
        >>> lengths.tolist(), shift.tolist()
        ([2, 2], [0, 1])
    """
    time = mask.shape[1]
    lengths = mask.sum(1)
    if time == 0:
        return lengths, lengths
    shift = torch.where(mask[:, 0], 0, time - lengths)
    if not (mask.is_meta or torch.compiler.is_compiling()):
        steps = torch.arange(time, device=mask.device)
        expected = (steps >= shift[:, None]) & (steps < (shift + lengths)[:, None])
        wrong = (mask != expected).any(1)
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0, 0])
            raise UserError(
                f"mask row {row} has padding between real steps; accepted: padding before or after all of them"
            )
    return lengths, shift


class Padding(NamedTuple):
    """A mask and what `lengths_and_shift` finds of it."""

    mask: Bool[Tensor, "batch time"]
    lengths: Int[Tensor, " batch"]
    shift: Int[Tensor, " batch"]

    def at_end(self) -> Bool[Tensor, "batch time"]:
        """Return where padding is once `to_front` has moved the rows."""
        return torch.arange(self.mask.shape[1], device=self.mask.device) >= self.lengths[:, None]


def measure(mask: Bool[Tensor, "batch time"] | None) -> Padding | None:
    """Return a mask with its rows' lengths and shifts, None for None; raises as `lengths_and_shift` does."""
    return None if mask is None else Padding(mask, *lengths_and_shift(mask))


def zeroed(
    x: Shaped[Tensor, "batch time *features"], mask: Bool[Tensor, "batch time"] | None
) -> Shaped[Tensor, "batch time *features"]:
    """Return x with 0 where there is padding, whatever stands there (mask None: x itself).

    Example:
        >>> zeroed(torch.tensor([[3, -1]]), torch.tensor([[True, False]])).tolist()
        [[3, 0]]
    """
    if mask is None:
        return x
    return x.masked_fill(~mask.reshape(*mask.shape, *(1,) * (x.dim() - 2)), 0)


def to_front(
    x: Shaped[Tensor, "batch time *features"], shift: Int[Tensor, " batch"]
) -> Shaped[Tensor, "batch time *features"]:
    """Move each row `shift` steps towards the front; what falls off there comes in at the end.

    Example:
        >>> to_front(torch.tensor([[[0.0], [1.0], [2.0]]]), torch.tensor([1])).flatten().tolist()
        [1.0, 2.0, 0.0]
    """
    return _roll(x, shift)


def to_back(
    y: Float[Tensor, "batch time features"], shift: Int[Tensor, " batch"]
) -> Float[Tensor, "batch time features"]:
    """Undo `to_front`.

    Example:
        >>> to_back(torch.tensor([[[1.0], [2.0], [0.0]]]), torch.tensor([1])).flatten().tolist()
        [0.0, 1.0, 2.0]
    """
    return _roll(y, -shift)


def last_real(
    y: Float[Tensor, "batch time features"],
    lengths: Int[Tensor, " batch"],
    initial: Float[Tensor, "batch features"] | None,
) -> Float[Tensor, "batch features"]:
    """Select each row's value at its last real step, real ones first; a row without one keeps its initial value (or 0).

    Example:
        >>> y = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])
        >>> last_real(y, torch.tensor([1, 0]), None).flatten().tolist()
        [1.0, 0.0]
    """
    batch, time, features = y.shape
    start = y.new_zeros(batch, features) if initial is None else initial
    if time == 0:
        return start
    index = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, features)
    return torch.where((lengths > 0)[:, None], y.gather(1, index).squeeze(1), start)


def _roll(x: Tensor, shift: Tensor) -> Tensor:
    time = x.shape[1]
    if time == 0:
        return x
    source = (torch.arange(time, device=x.device) + shift[:, None]) % time
    return x.gather(1, source.reshape(*source.shape, *(1,) * (x.dim() - 2)).expand_as(x))
