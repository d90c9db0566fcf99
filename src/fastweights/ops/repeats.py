"""Calls like an earlier one: what was checked, chosen and laid out for that one holds for them.

A step of a recurrence takes less time than the checks before it. So a backend may hand out a `shortcut` for all calls
of one signature, which has everything that these follow from.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

import torch

from fastweights.kernels import dense
from fastweights.ops.tracing import traced
from fastweights.ops.types import autocasts

KEPT = 256
"""Signatures, at most."""
CPU = torch.device("cpu")


def signature(inputs: Iterable[Any], *others: Hashable) -> Hashable | None:
    """Return what the checks, the backend and the layout of a call without gradients follow from.

    Args:
        inputs: tensors, tuples of them, None.
        others: what else decides.

    Returns:
        None where more than that decides: a gradient is wanted, something traces or transforms the call, autocast, a
        tensor that is not a plain one on the CPU.

    Example:
        >>> signature((torch.zeros(2), None), "auto") == signature((torch.ones(2), None), "auto")
        True
    """
    found: list[Hashable] = [*others]
    strided, differentiable = torch.strided, torch.is_grad_enabled()
    for part in inputs:
        if part is None:
            found.append(None)
            continue
        several = isinstance(part, tuple)
        found.append(len(part) if several else 0)
        for x in part if several else (part,):
            if type(x) not in dense.PLAIN or (differentiable and x.requires_grad):
                return None
            if not x.is_cpu or x.layout is not strided or x.is_neg():
                return None
            found += (x.shape, x.stride(), x.dtype)
    return None if traced() or autocasts(CPU) else tuple(found)


class Repeats:
    """The shortcuts of an op by signature; None for a signature without one."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Callable[[Any], Any] | None] = {}

    def run(self, key: Hashable | None, inputs: Any) -> Any:
        """Return the results of a call by the shortcut of its signature, None if there is none."""
        try:
            shortcut = None if key is None else self._known.get(key)
        except TypeError:  # an option of no sensible kind, which the checks refuse
            return None
        return None if shortcut is None else shortcut(inputs)

    def keep(self, key: Hashable | None, build: Callable[[], Callable[[Any], Any] | None]) -> None:
        """Build the shortcut of a signature that was not met before, after a call has run without."""
        if key is None or key in self._known:
            return
        if len(self._known) >= KEPT:
            self._known.clear()
        self._known[key] = build()
