"""A run's results for a terminal, as values that the command line prints: tables, lines, notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from fastweights.experiments.plan import Record


class TextTable(NamedTuple):
    """A table of text, with a line below it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str | None = None


class Steps(NamedTuple):
    """Named rows of short cells, one a step, that stand below each other; a terminal folds all of them together."""

    rows: Mapping[str, Sequence[str]]
    cell: int
    """Columns that a cell takes."""

    def lines(self, width: int) -> Iterator[str]:
        """Return the lines of a terminal of that width.

        Example:
            >>> list(Steps({"step": "ab", "share": ["90", "10"]}, 4).lines(80))
            ['  step    a   b', '  share  90  10']
            >>> list(Steps({"step": "ab", "share": ["90", "10"]}, 4).lines(12))
            ['  step    a', '  share  90', '  step    b', '  share  10']
        """
        names = max(map(len, self.rows), default=0)
        count = max(map(len, self.rows.values()), default=0)
        most = max(1, (width - names - 2) // self.cell)
        for start in range(0, count, most):
            for name, cells in self.rows.items():
                shown = "".join(f"{each:>{self.cell}}" for each in cells[start : start + most])
                yield f"  {name:<{names}}{shown}"


class Notice(NamedTuple):
    """A line that goes to stderr."""

    text: str


Shown = TextTable | Steps | Notice | str
"""One thing on a terminal; a string is a line."""


def counted(count: int, noun: str) -> str:
    """Return a number and what it counts, in the singular where it is one.

    Example:
        >>> counted(1, "step"), counted(5400, "step")
        ('1 step', '5,400 steps')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def figure_table(title: str, rows: Sequence[tuple[str, str]], heading: str = "") -> TextTable:
    """Return a table of names and figures."""
    return TextTable(title, ("", heading), rows)


def training_rows(result: Record, unit: str = "step") -> list[tuple[str, str]]:
    """Return the rows that every result has: how long it was trained, on what."""
    seconds = f"{result['train_seconds']:.1f} s (+ {result['compile_seconds']:.1f} s compiling)"
    return [
        ("training", f"{counted(result['steps'], unit)} in {seconds}"),
        ("backend", f"{result['backend']}, {counted(result['threads'], 'thread')}"),
        ("weights", f"{result['parameters']:,}"),
    ]


def sample_table(title: str, samples: Sequence[Record], question: str) -> list[TextTable]:
    """Return a table of answered questions; none where there are no questions."""
    rows = [
        (row[question], row["answer"], f"{row['probability']:.4f}", row["truth"]) for row in samples
    ]
    columns = (question, "answer", "probability", "truth")
    return [TextTable(title, columns, rows)] if rows else []


@contextmanager
def progress_bar(title: str, unit: str, count: int) -> Iterator[Callable[[int], None]]:
    """Show how far a phase is: a bar on a terminal; else a line a tenth, if it takes longer than two seconds.

    What it gives is called with how many of the `count` units are done.
    """
    from fastweights.training import TerminalProgress

    bar = TerminalProgress(title, counted=unit)
    bar.start(0, count)
    try:
        yield lambda done: bar.update(done, {})
        bar.update(count, {})
    finally:
        bar.stop()
