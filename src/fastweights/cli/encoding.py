"""Error handler of stdout and stderr: characters that their encoding lacks are written in ASCII."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

SUBSTITUTES = {
    "…": "...", "→": ">", "←": "<", "↵": "\\n", "·": "-", "±": "+-", "×": "x", "÷": "/", "−": "-", "–": "-",
    "≤": "<=", "≥": ">=", "²": "^2", "“": '"', "”": '"', "€": "EUR", "␣": "_", "█": "#", "▏": "|",
    "λ": "lambda", "η": "eta", "α": "alpha", "β": "beta", "γ": "gamma", "σ": "sigma", "τ": "tau", "φ": "phi",
    **dict.fromkeys("─━╴╶╸╺", "-"), **dict.fromkeys("│┃", "|"), **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼", "+"),
}  # fmt: skip
"""What this library and rich print themselves; any other character becomes its escape, so that nothing is lost."""

HANDLER = "fastweights"
"""Name of the error handler, for `str.encode` too."""


def _substitute(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    failed = error.object[error.start : error.end]
    text = (SUBSTITUTES.get(each) or _escape(each) for each in failed)
    return "".join(text), error.end


def _escape(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(HANDLER, _substitute)


@contextmanager
def never_failing() -> Iterator[None]:
    """Let stdout and stderr write what they cannot encode in ASCII, inside the block; nowhere if they are closed."""
    with ExitStack() as absent:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                absent.callback(setattr, sys, name, None)
                setattr(sys, name, absent.enter_context(Path(os.devnull).open("w")))
        with _substituting():
            yield


@contextmanager
def _substituting() -> Iterator[None]:
    undo: list[tuple[TextIO, Callable[..., None], str]] = []
    for stream in (sys.stdout, sys.stderr):
        # A program that calls `main` may have put another object there.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and stream.errors != HANDLER:
            undo.append((stream, reconfigure, stream.errors or "strict"))
            reconfigure(errors=HANDLER)
    try:
        yield
    finally:
        for stream, reconfigure, errors in undo:
            if not stream.closed:
                reconfigure(errors=errors)


def printable(text: str) -> str:
    """Return a text as stdout will write it, so that it can be laid out in columns.

    Example:
        >>> printable("plain")
        'plain'
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, HANDLER).decode(encoding)


def as_typed(word: str) -> str:
    """Return a word of the command line in characters, where the locale knows no more than ASCII but the user does.

    Example:
        >>> as_typed("na\\udcc3\\udcafve")
        'naïve'
    """
    try:
        return word.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return word


def is_unicode() -> bool:
    """Return whether stdout takes every character."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name.startswith("utf")
