"""Running means of each step's readings, and the watch for NaN, without waiting for a device."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from fastweights.errors import UserError


class NotFinite(UserError):
    """A loss or a gradient became NaN or infinite.

    Attributes:
        step: the first step (from 1) at which it did.
    """

    def __init__(self, step: int, name: str, value: float) -> None:
        super().__init__(f"the {name.replace('_', ' ')} is {value} at step {step}")
        self.step = step


class Meter:
    """Adds up the readings of each step in order: the means never depend on timing.

    Args:
        hold: steps whose readings may wait on the device before they are fetched together; 1 on a
            CPU, where fetching is free.
    """

    def __init__(self, hold: int = 1) -> None:
        self.hold = hold
        self.count = 0
        self.sums: dict[str, float] = {}
        self._waiting: list[tuple[int, Mapping[str, Tensor]]] = []
        self._shown_count = 0
        self._shown: dict[str, float] = {}

    def add(self, step: int, readings: Mapping[str, Tensor]) -> None:
        """Add the scalar readings of a step (from 1).

        Raises:
            NotFinite: if one of this step, or of the steps still waiting, is NaN or infinite.
        """
        self._waiting.append((step, readings))
        if len(self._waiting) >= self.hold:
            self.flush()

    def flush(self) -> None:
        """Fetch and add up what is waiting; raises as `add` does."""
        waiting, self._waiting = self._waiting, []
        for (step, readings), values in zip(waiting, _fetch(waiting), strict=True):
            for name, value in zip(readings, values, strict=True):
                if not math.isfinite(value):
                    raise NotFinite(step, name, value)
                self.sums[name] = self.sums.get(name, 0.0) + value
            self.count += 1

    def means(self) -> dict[str, float]:
        """Return the means since `clear`."""
        return {name: total / self.count for name, total in self.sums.items()}

    def recent(self) -> dict[str, float]:
        """Return the means since this was last called or since `clear`; empty if there are none."""
        self.flush()
        count = self.count - self._shown_count
        if count == 0:
            return {}
        means = {
            name: (total - self._shown.get(name, 0.0)) / count for name, total in self.sums.items()
        }
        self._shown_count, self._shown = self.count, dict(self.sums)
        return means

    def clear(self) -> None:
        """Start the means anew."""
        self.restore({"count": 0, "sums": {}})

    def state(self) -> dict[str, Any]:
        """Return the sums as plain JSON values."""
        self.flush()
        return {"count": self.count, "sums": self.sums}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state` returned."""
        self.count, self.sums = state["count"], dict(state["sums"])
        self._shown_count, self._shown = self.count, dict(self.sums)


def _fetch(waiting: list[tuple[int, Mapping[str, Tensor]]]) -> list[list[float]]:
    rows = [list(readings.values()) for _, readings in waiting]
    if len(rows) <= 1:
        return [[value.item() for value in row] for row in rows]
    return torch.stack([torch.stack([v.double() for v in row]) for row in rows]).tolist()
