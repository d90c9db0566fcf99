"""`fastweights solve "a story with questions"`: the right answers, by rules, with the sentences they follow from."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from fastweights.cli.console import print_json, read_stdin, show
from fastweights.cli.encoding import as_typed
from fastweights.errors import UserError

EXAMPLE = "Mary went to the kitchen. Where is Mary?"


@dataclass(frozen=True)
class Solve:
    """Answer the questions of a story of any of bAbI's twenty kinds, by rules, with the sentences they follow from.

    Each question is answered from what stands before it, or it is said that the story does not tell. Sentences are
    those of bAbI, in any case: "Mary got the milk there.", "The office is north of the garden.". An answer that stands
    behind a question is compared with the right one.
    """

    story: tyro.conf.Positional[str | None] = None
    """Sentences that end in "." and questions that end in "?"; "-" or none: read from standard input."""
    file: Path | None = None
    """Read this file instead: a story as it is typed, or many in the form of bAbI's files."""
    json: bool = False
    """Print the answers as one JSON object."""

    def run(self) -> int:
        from fastweights.experiments.catbabi.report import report_solved
        from fastweights.experiments.catbabi.solving import solved

        if self.file is not None and self.story is not None:
            raise UserError("give either a story or --file, not both")
        found = solved(*self._stories())
        print_json(found) if self.json else show(report_solved(found))
        return 0

    def _stories(self) -> tuple[tuple[str, ...], str]:
        """Return the stories, and what a message calls where they come from."""
        from fastweights.tasks.babi.reading import cut_stories, read_stories

        if self.file is not None:
            return read_stories(self.file), str(self.file)
        if self.story not in (None, "-"):
            return (as_typed(self.story),), ""
        if self.story is None and (sys.stdin is None or sys.stdin.isatty()):
            raise UserError(f'no story given: add one ("{EXAMPLE}"), --file FILE, or pipe it in')
        return cut_stories(read_stdin(), "standard input"), ""
