"""What a terminal shows of a run, as values that the command line prints: tables, lines, notices."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from fastweights.experiments.plan import Record


class TextTable(NamedTuple):
    """A table of text, with a line below it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str | None = None


class Notice(NamedTuple):
    """A line that goes to stderr."""

    text: str


Shown = TextTable | Notice | str
"""One thing on a terminal; a string is a line."""


def figure_table(title: str, rows: Sequence[tuple[str, str]], heading: str = "") -> TextTable:
    """Return a table of names and figures."""
    return TextTable(title, ("", heading), rows)


def training_rows(result: Record, unit: str = "steps") -> list[tuple[str, str]]:
    """Return the rows that every result has: how long it was trained, on what."""
    seconds = f"{result['train_seconds']:.1f} s (+ {result['compile_seconds']:.1f} s compiling)"
    return [
        ("training", f"{result['steps']:,} {unit} in {seconds}"),
        ("backend", f"{result['backend']}, {result['threads']} threads"),
        ("weights", f"{result['parameters']:,}"),
    ]


def sample_table(title: str, samples: Sequence[Record], question: str) -> list[TextTable]:
    """Return a table of answered questions; none where there are no questions."""
    rows = [
        (row[question], row["answer"], f"{row['probability']:.4f}", row["truth"]) for row in samples
    ]
    columns = (question, "answer", "probability", "truth")
    return [TextTable(title, columns, rows)] if rows else []


def rows_read(count: int) -> str:
    """Return in how many rows a text is read.

    Example:
        >>> rows_read(1), rows_read(32)
        ('1 row', '32 rows')
    """
    return "1 row" if count == 1 else f"{count} rows"


@contextmanager
def progress_bar(title: str, unit: str, count: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal while a test goes on.

    Args:
        title: what is tested.
        unit: of what is counted.
        count: how many there are.

    Returns:
        what is called with how many are done.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from fastweights.training import TerminalProgress

    bar = TerminalProgress(title, unit=unit)
    bar.start(0, count)
    try:
        yield lambda done: bar.update(done, {})
    finally:
        bar.stop()
