"""How far the reading of a text is: epochs, words, perplexity, time left."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from typing import Any

from fastweights.training import TerminalProgress, perplexity


class EpochProgress(TerminalProgress):
    """A bar that counts words, with a line of validation perplexity for each epoch; without a terminal the lines alone.

    Args:
        title: what is being trained.
        ends: the step after which each epoch ends.
        words: of an epoch.
        unit: what they are called.
        limit: seconds after which the training ends at the latest.
    """

    def __init__(
        self,
        title: str,
        *,
        ends: tuple[int, ...],
        words: int,
        unit: str = "words",
        limit: float | None = None,
    ) -> None:
        super().__init__(title, work=round(words / ends[0]), unit=unit, limit=limit)
        self.ends, self.words = ends, words

    def evaluated(self, row: Mapping[str, Any]) -> None:
        if not row["step"]:
            return
        line = f"{self._place(row['step'])}  {self._describe(row)}  {_time(row['seconds'])}"
        if row["step"] < self.ends[-1]:
            line += f", {_time(self._left(row))} to go"
        if self._bar is None:
            self._tell(row["step"], line)
        else:
            self._bar.console.print(line, highlight=False)

    def _left(self, row: Mapping[str, Any]) -> float:
        left = row["seconds"] * (self.ends[-1] / row["step"] - 1)
        return left if self.limit is None else max(0.0, min(left, self.limit - row["seconds"]))

    def _place(self, step: int) -> str:
        epoch = bisect.bisect_left(self.ends, step)
        read = self.words * epochs_of(step, self.ends)
        shown = f"{read / 1e6:.2f}M" if self.words >= 1e5 else f"{read:,.0f}"
        of = "" if self.limit else f"/{len(self.ends)}"
        return f"epoch {min(epoch + 1, len(self.ends))}{of}  {shown} {self.unit}"

    def _describe(self, readings: Mapping[str, Any]) -> str:
        loss = readings.get("cross_entropy", readings.get("train_cross_entropy"))
        parts = [] if loss is None else [f"perplexity {perplexity(loss):.1f}"]
        if "validation_perplexity" in readings:
            parts.append(f"validation {readings['validation_perplexity']:.1f}")
        return "  ".join(parts)


def epochs_of(step: int, ends: tuple[int, ...]) -> float:
    """Return how many epochs so many steps are.

    Example:
        >>> epochs_of(15, (10, 20)), epochs_of(20, (10, 20))
        (1.5, 2.0)
    """
    whole = bisect.bisect_right(ends, step)
    if whole == len(ends):
        return float(whole)
    before = ends[whole - 1] if whole else 0
    return whole + (step - before) / (ends[whole] - before)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"
