"""What the tasks that tell and ask in turn have in common: lines, blocks of two sentences, and the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from fastweights.tasks.babi.draws import Draws

C = TypeVar("C")


class Line(NamedTuple):
    """A sentence, or a question with its answer.

    Attributes:
        words: in lower case, "." and "?" words of their own.
        answer: of a question, one word; None: a sentence.
        supports: numbers of the lines that give the answer, from 1.
    """

    words: str
    answer: str | None = None
    supports: tuple[int, ...] = ()


class Lengths(NamedTuple):
    """How much is asked.

    Attributes:
        questions: of a story; None: as many as the release has.
        window: a question is about one of the last so many clauses; None: of any.
        subquestions: two of three stories of task 16 ask a part of its question.
    """

    questions: int | None = None
    window: int | None = 5
    subquestions: bool = False


AS_RELEASED = Lengths()


class Telling(Generic[C]):
    """A story as it is told: its lines, and its clauses, each about one person or thing.

    Args:
        draw: of the story.
        lengths: how much is asked.
    """

    __slots__ = ("clauses", "draw", "lengths", "lines")

    def __init__(self, draw: Draws, lengths: Lengths) -> None:
        self.draw, self.lengths = draw, lengths
        self.lines: list[Line] = []
        self.clauses: list[C] = []

    def say(self, words: str) -> int:
        """Add a sentence and return its number."""
        self.lines.append(Line(words))
        return len(self.lines)

    def by_blocks(self, tell: Callable[[], None], ask: Callable[[C], Line | None]) -> list[Line]:
        """Tell a block, ask one question if one can be asked, and so on until all are asked.

        A question is about a clause of the window, each drawn alike; where nothing can be asked about it, about
        another; where about none, none is asked.

        Args:
            tell: a block.
            ask: a question about a clause, or None.
        """
        below, lines, clauses = self.draw.below, self.lines, self.clauses
        begin = -self.lengths.window if self.lengths.window else None
        for _ in range(self.lengths.questions or 5):
            question = None
            while question is None:
                tell()
                recent = clauses[begin:]
                while recent and question is None:
                    question = ask(recent.pop(below(len(recent))))
            lines.append(question)
        return lines
