"""How every command speaks: one JSON object on stdout with `--json`, otherwise tables and lines for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def json_text(value: object) -> str:
    """Give a value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def print_json(value: object) -> None:
    """Print one JSON value on stdout, and nothing else there."""
    print(json_text(value))


def say(line: str) -> None:
    """Print a line for people on stderr, where it never mixes with results."""
    print(line, file=sys.stderr, flush=True)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, note: str | None = None
) -> None:
    """Print a table on stdout: boxed on a terminal, plain text of full width in a pipe."""
    from rich.box import ROUNDED, SIMPLE
    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=200)
    table = Table(title=title, title_justify="left", box=ROUNDED if console.is_terminal else SIMPLE)
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)
    if note:
        console.print(note, markup=False)
