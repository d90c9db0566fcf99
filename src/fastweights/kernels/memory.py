"""Large buffers used again: fresh memory costs a page fault for every 4 KiB first touched, a fifth of a long call."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor

LARGE = 1 << 20  # bytes; what is smaller the allocator keeps by itself
KEPT = 4

_free: dict[int, Tensor] = {}  # single operations on a dict are atomic, also inside a finalizer


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
        buffer = torch.empty(size, dtype=like.dtype)
    owner = buffer.numpy()[:size]
    weakref.finalize(owner, _give, buffer).atexit = False
    return torch.from_numpy(owner)


def _find(size: int, dtype: torch.dtype) -> Tensor | None:
    for key, buffer in list(_free.items()):
        fits = size <= buffer.numel() <= 2 * size
        if fits and buffer.dtype == dtype and _free.pop(key, None) is not None:
            return buffer
    return None


def _give(buffer: Tensor) -> None:
    _free[id(buffer)] = buffer
    while len(_free) > KEPT:
        _free.pop(next(iter(_free)), None)
