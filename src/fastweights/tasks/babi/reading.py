"""Stories in a file: one as it is typed, or many in the form of the release's files."""

from __future__ import annotations

import re
from pathlib import Path

from fastweights.data import babi, text
from fastweights.errors import UserError
from fastweights.io.cache import expanded
from fastweights.tasks.babi.solver import sentences

_NUMBERED = re.compile(r"\s*\d+ ")


def read_stories(path: str | Path) -> tuple[str, ...]:
    """Read a file's stories, as `cut_stories` cuts them.

    Raises:
        UserError: if it is not there, no plain file, empty, not UTF-8, or numbered but not as the release's files are.
    """
    path = expanded(path)
    if not path.exists():
        raise UserError(f"no such file: {path}")
    return cut_stories(text.read_file(path), str(path))


def cut_stories(content: str, name: str) -> tuple[str, ...]:
    r"""Cut what a file holds into stories: where its lines are numbered, each begins at 1; else it is one story.

    Args:
        content: of the file.
        name: of the file, for the message.

    Raises:
        UserError: naming the first line that is not of the release's form, where the first one is numbered.

    Example:
        >>> cut_stories("1 Yann is bored.\n2 Where will yann go? \tgarden\t1\n1 Yann is tired.\n", "example")
        ('yann is bored . where will yann go ? garden', 'yann is tired .')
    """
    return babi.parse(content.encode(), name) if _NUMBERED.match(content) else (content,)


def as_cut(story: str) -> str:
    r"""Return a story with a sentence a line as the solver cuts it, and answers behind their questions.

    Example:
        >>> as_cut("Mary went to the park.Where is Mary??park John went to the school. Where is John?")
        'Mary went to the park.\nWhere is Mary? park.\nJohn went to the school.\nWhere is John?'
    """
    return "\n".join(
        text if given is None else f"{text} {given}." for text, given in sentences(story)
    )


def named(story: int, stories: int, name: str) -> str:
    """Return what a message calls a story of a file."""
    return name if stories == 1 else f"{name}, story {story}"
