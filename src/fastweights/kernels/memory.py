"""Large buffers used again: fresh memory costs a page fault for every 4 KiB first touched, a fifth of a long call."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

LARGE = 1 << 20  # bytes; what is smaller the allocator keeps by itself
# Free buffers at most: what one layer's forward (results, `saved`, scratch) and backward (scratch, gradients) work in.
KEPT = 8

# Single operations on a dict are atomic, also in the callback of a weak reference.
_free: dict[int, Tensor] = {}
_lent: dict[int, tuple[weakref.ref[Any], Tensor]] = {}


def take(size: int, like: Tensor) -> Tensor:
    """Return an uninitialised vector of `size` scalars, its memory put aside for later when the last view of it goes.

    Example:
        >>> take(3, torch.zeros(1)).shape
        torch.Size([3])
    """
    if size * like.element_size() < LARGE:
        return like.new_empty(size)
    buffer = _find(size, like.dtype)
    if buffer is None:
        buffer = torch.empty(size, dtype=like.dtype, device=like.device)
    owner = buffer.numpy()[:size]
    lent = weakref.ref(owner, _take_back)
    _lent[id(lent)] = lent, buffer
    return torch.from_numpy(owner)


def empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """Return an uninitialised tensor of this shape, its memory used again likewise.

    Example:
        >>> empty((2, 3), torch.zeros(1)).shape
        torch.Size([2, 3])
    """
    size = math.prod(shape)
    if size * like.element_size() < LARGE:
        return like.new_empty(shape)
    return take(size, like).view(shape)


def _find(size: int, dtype: torch.dtype) -> Tensor | None:
    for key, buffer in list(_free.items()):
        fits = size <= buffer.numel() <= 2 * size
        if fits and buffer.dtype == dtype and _free.pop(key, None) is not None:
            return buffer
    return None


def _take_back(lent: weakref.ref[Any]) -> None:
    _, buffer = _lent.pop(id(lent))
    _free[id(buffer)] = buffer
    while len(_free) > KEPT:
        _free.pop(next(iter(_free)), None)
