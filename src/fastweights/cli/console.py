"""How every command speaks: one JSON object on stdout with `--json`, otherwise tables and lines for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from fastweights.cli.encoding import is_unicode, printable
from fastweights.errors import UserError
from fastweights.experiments.terminal import Notice, Shown, TextTable


def json_text(value: object, *, ascii_only: bool = False) -> str:
    """Return a value as one line of JSON; NaN and infinity, which it has no word for, are null."""
    from fastweights.io.encode import plain

    return json.dumps(plain(value), ensure_ascii=ascii_only, allow_nan=False)


def print_json(value: object) -> None:
    """Print one JSON value on stdout, and nothing else there; in its own escapes where stdout is not Unicode."""
    print(json_text(value, ascii_only=not is_unicode()))


def read_stdin() -> str:
    """Read all of standard input.

    Raises:
        UserError: if it is not UTF-8.
    """
    # The bytes, since what decodes them depends on the locale; a program may have put plain text in their place.
    source = getattr(sys.stdin, "buffer", None)
    try:
        return source.read().decode("utf-8-sig") if source else sys.stdin.read()
    except UnicodeDecodeError:
        raise UserError("standard input is not UTF-8") from None


PIPE_WIDTH = 100_000
"""Columns of a pipe: more than any table has."""


def say(line: str) -> None:
    """Print a line for people on stderr, where it never mixes with results."""
    print(line, file=sys.stderr, flush=True)


def show(blocks: Iterable[Shown]) -> None:
    """Print what a terminal shows of a run."""
    for block in blocks:
        if isinstance(block, TextTable):
            print_table(block.title, block.columns, block.rows, note=block.note)
        elif isinstance(block, Notice):
            say(block.text)
        else:
            print(block)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, note: str | None = None
) -> None:
    """Print a table on stdout: boxed on a terminal, whose width it folds into; in a pipe plain text, as wide as it is.

    Nothing is ever cut off.
    """
    from rich.box import ROUNDED, SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    # A height too, for else a dumb terminal's width stands above the one given.
    console = Console() if terminal else Console(width=PIPE_WIDTH, height=100, force_terminal=False)
    # As Text: brackets in what a user gave are no markup.
    box = ROUNDED if terminal else SIMPLE
    table = Table(title=Text(printable(title)), title_justify="left", box=box)
    for name in columns:
        table.add_column(Text(printable(name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    console.print(table)
    if note:
        console.print(note, markup=False, highlight=False)
