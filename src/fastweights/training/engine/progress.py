"""Listeners to a training run: their protocol, a silent one, and a bar on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

WIDE = 110
"""Columns from which a bar has room for the pace too, and for a title beside readings."""
ROOM = 45
"""Columns that a bar and what it counts take."""


@runtime_checkable
class Progress(Protocol):
    """A listener to a training run."""

    def start(self, step: int, steps: int) -> None:
        """Training begins, or goes on, at `step` of `steps`."""

    def update(self, step: int, readings: Mapping[str, float]) -> None:
        """`step` steps are done; `readings` are means since the last call (0.1 s or more ago)."""

    def evaluated(self, row: Mapping[str, Any]) -> None:
        """An evaluation has been logged."""

    def stop(self) -> None:
        """Training has ended, for whatever reason."""


class NoProgress(Progress):
    """Listens in silence."""


class Several(Progress):
    """Listeners side by side, called in the order that they are given in."""

    def __init__(self, listeners: Iterable[Progress]) -> None:
        self.listeners = tuple(listeners)

    def start(self, step: int, steps: int) -> None:
        for each in self.listeners:
            each.start(step, steps)

    def update(self, step: int, readings: Mapping[str, float]) -> None:
        for each in self.listeners:
            each.update(step, readings)

    def evaluated(self, row: Mapping[str, Any]) -> None:
        for each in self.listeners:
            each.evaluated(row)

    def stop(self) -> None:
        for each in self.listeners:
            each.stop()


UNSAID = 2.0
"""Seconds that a phase may take in silence where there is no terminal."""


class Tenths:
    """Says where there is no terminal how far something is: after two seconds, once a tenth."""

    def __init__(self) -> None:
        self._began, self._said = perf_counter(), 0.0

    def passed(self, share: float) -> bool:
        """Return whether a tenth has passed since something was said, at that share of the whole."""
        return share - self._said >= 0.1 - 1e-9 and perf_counter() - self._began >= UNSAID

    def tell(self, share: float, line: str) -> None:
        """Print a line that says how far it is, at that share of the whole."""
        self._said = share
        print(line, file=sys.stderr, flush=True)


class TerminalProgress:
    """A bar on stderr: loss, accuracy, pace, time left; if no terminal a line an evaluation, and a tenth at least.

    Args:
        title: what is being trained.
        ceiling: the accuracy of a model that binds nothing, shown beside the accuracy; None shows
            none.
        work: what a step does, counted in `unit`; the pace is shown in it.
        unit: of the pace.
        limit: seconds after which the training ends, if it ends at a time; the bar then counts
            these.
        counted: what the steps are called behind their number; empty: nothing.
    """

    def __init__(
        self,
        title: str = "training",
        ceiling: float | None = None,
        work: int = 1,
        unit: str = "steps",
        limit: float | None = None,
        counted: str = "",
    ) -> None:
        self.title = title
        self.ceiling = ceiling
        self.counted = counted
        self.work, self.unit, self.limit = work, unit, limit
        self._began = self._first = 0.0
        self._steps = self._at = 0
        self._bar: Any = None
        self._task: Any = None
        self._tenths: Tenths | None = None

    def start(self, step: int, steps: int) -> None:
        self._steps = steps
        self._began, self._first = perf_counter(), step
        if not sys.stderr.isatty():
            self._tenths = Tenths()
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = [
            TextColumn("{task.fields[title]}", markup=False),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[place]}", markup=False),
            TextColumn("{task.fields[readings]}", markup=False),
            TimeRemainingColumn(compact=True),
        ]
        self._wide = console.width >= WIDE
        if self._wide:
            columns.append(TextColumn("{task.fields[pace]}", markup=False))
        self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task(
            self.title,
            total=self.limit or steps,
            completed=0 if self.limit else step,
            place=self._place(step),
            readings="",
            title=self.title if self._wide or len(self.title) <= console.width - ROOM else "",
            pace="",
        )
        self._bar.start()

    def update(self, step: int, readings: Mapping[str, float]) -> None:
        if self._tenths is not None and self._tenths.passed(self._share(step)):
            line = f"{self.title}: {self._place(step)}  {self._describe(readings)}".rstrip()
            self._tenths.tell(self._share(step), line)
        self._at = step
        if self._bar is None:
            return
        passed = perf_counter() - self._began
        pace = (step - self._first) / max(passed, 1e-9)
        said = self._describe(readings)
        if said and not self._wide:
            self._bar.update(self._task, title="")  # they take its place
        self._bar.update(
            self._task,
            completed=min(passed, self.limit) if self.limit else step,
            place=self._place(step),
            readings=said,
            pace=f"{pace * self.work:,.0f} {self.unit}/s" if pace else "",
        )

    def evaluated(self, row: Mapping[str, Any]) -> None:
        if self._bar is not None:
            # The last evaluation is of the end, of which no update need have told.
            if row["step"] > self._at:
                self.update(row["step"], row)
        elif row["step"]:
            line = f"step {self._place(row['step'])}  {self._describe(row)}  {row['seconds']:.1f} s"
            self._tell(row["step"], line)

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _tell(self, step: int, line: str) -> None:
        (self._tenths or Tenths()).tell(self._share(step), line)

    def _share(self, step: int) -> float:
        if self.limit:
            return (perf_counter() - self._began) / self.limit
        return step / max(self._steps, 1)

    def _place(self, step: int) -> str:
        counted = f" {self.counted}" if self.counted else ""
        return f"{step}" if self.limit else f"{step}/{self._steps}{counted}"

    def _describe(self, readings: Mapping[str, Any]) -> str:
        loss = readings.get("loss", readings.get("train_loss"))
        accuracy, reward = readings.get("accuracy"), readings.get("reward")
        words = []
        if loss is not None:
            words.append(f"loss {loss:.4f}")
        if accuracy is not None:
            ceiling = "" if self.ceiling is None else f" (no binding: {100 * self.ceiling:.2f} %)"
            words.append(f"accuracy {100 * accuracy:.2f} %{ceiling}")
        if reward is not None:
            words.append(f"reward {reward:.3f}")
        return "  ".join(words)
