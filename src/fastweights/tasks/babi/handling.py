"""What becomes of the things in a house: who had them last, and who gave them to whom."""

from __future__ import annotations

from typing import NamedTuple

Clause = tuple[str, str, str]
"""What happened, who did it, and with which thing ("" of a go)."""


class Carriage(NamedTuple):
    """The last time that somebody had a thing.

    Attributes:
        who: had it.
        line: of the last handling, by which it came or went.
        begin: how often he had gone, in what was told, when he got it.
        end: how often when it left him; None: he still has it.
    """

    who: str
    line: int
    begin: int
    end: int | None = None


class Gift(NamedTuple):
    """Who gave what to whom.

    Attributes:
        who: gave.
        to: whom.
        thing: which.
        line: of the sentence.
        at: place among the clauses.
    """

    who: str
    to: str
    thing: str
    line: int
    at: int
