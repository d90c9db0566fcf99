"""How every command speaks: one JSON object on stdout with `--json`, otherwise tables and lines for people."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING

from fastweights.cli.encoding import is_unicode, printable
from fastweights.errors import UserError
from fastweights.experiments.terminal import Notice, Shown, Steps, TextTable

if TYPE_CHECKING:
    from rich.box import Box
    from rich.table import Table


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
    """Print what a terminal shows of a run: all of it, or nothing where a part cannot be made."""
    for block in tuple(blocks):
        if isinstance(block, TextTable):
            print_table(block.title, block.columns, block.rows, note=block.note)
        elif isinstance(block, Steps):
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
            for line in block.lines(width):
                print(line)
        elif isinstance(block, Notice):
            say(block.text)
        else:
            print(block)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, note: str | None = None
) -> None:
    """Print a table on stdout: boxed on a terminal, into whose width it folds; in a pipe plain text, as wide as it is.

    Where a terminal is too narrow for all columns side by side, each row is shown as a list of its cells. Nothing is
    ever cut off.
    """
    from rich.box import ROUNDED, SIMPLE
    from rich.console import Console

    terminal = sys.stdout.isatty()
    # A height too, for else a dumb terminal's width stands above the one given.
    console = Console() if terminal else Console(width=PIPE_WIDTH, height=100, force_terminal=False)
    names = [printable(name) for name in columns]
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    box, heading = (ROUNDED if terminal else SIMPLE), printable(title)
    if len(names) > 2 and _width(names, cells) > console.width:
        names, cells, separated = _listed(names, cells)
    else:
        separated = ()
    console.print(_table(heading, names, cells, box, console.width, separated))
    if note:
        console.print(printable(note), markup=False, highlight=False)


NARROWEST = 14
"""Columns that a cell of several words has at least, where it has as many characters."""


BORDERS = 3
"""Columns between two cells of a table; it has one more in all."""


def _width(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return the width from which a table can be read: its numbers and single words are whole."""
    return sum(width + BORDERS for width in _least(names, rows)) + 1


def _least(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of each column from which its numbers and single words are whole."""

    def least(cell: str) -> int:
        words = cell.split()
        folds = len(words) > 1 and len(cell) > NARROWEST
        return max(map(len, words)) if folds else max(len(cell), 1)

    return [max(map(least, column)) for column in zip(names, *rows, strict=True)]


def fitted(widest: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return the widths of columns that have so much room together: the widest give way, none below its least.

    Example:
        >>> fitted([30, 20, 5], [10, 20, 5], 45), fitted([30, 20, 5], [10, 20, 5], 10)
        ([20, 20, 5], [10, 20, 5])
    """
    widths = list(widest)
    while sum(widths) > room:
        wide = [at for at, width in enumerate(widths) if width > least[at]]
        if not wide:
            break
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _table(
    title: str,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    box: Box | None,
    width: int,
    separated: Container[int],
) -> Table:
    """Build a table of a terminal's width at most, with lines under the separated rows."""
    from rich.table import Table
    from rich.text import Text

    # As Text: brackets in what a user gave are no markup.
    table = Table(title=Text(title), title_justify="left", box=box, show_header=any(names))
    widest = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    least, room = _least(names, rows), width - BORDERS * len(names) - 1
    if sum(least) > room:
        least = [min(each, NARROWEST) for each in least]  # a word alone is broken
    widths = fitted(widest, least, room)
    for name, each, most in zip(names, widths, widest, strict=True):
        table.add_column(Text(name), overflow="fold", width=each if each < most else None)
    for place, row in enumerate(rows):
        table.add_row(*map(Text, row), end_section=place in separated)
    return table


def _listed(
    names: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[tuple[str, str], list[tuple[str, str]], set[int]]:
    """Return a table of two columns, the names of all columns beside a row's filled cells; and where each row ends."""
    lines: list[tuple[str, str]] = []
    ends: set[int] = set()
    for row in rows:
        lines += [(name, cell) for name, cell in zip(names, row, strict=True) if cell]
        ends.add(len(lines) - 1)
    return ("", ""), lines, ends
