"""The right answers to stories' questions, by rules."""

from __future__ import annotations

from collections.abc import Sequence

from fastweights.errors import UserError
from fastweights.experiments.plan import Record
from fastweights.tasks.babi.reading import named
from fastweights.tasks.babi.solver import Answer, solve_all


def solved(stories: Sequence[str], name: str = "") -> Record:
    """Answer the questions of stories.

    Args:
        stories: sentences and questions, in any case, with answers behind the questions or without.
        name: of the file they come from, for the message.

    Returns:
        `stories`, how many; `given`, how many answers the text itself gives, and `given_right`, how many of them are
        right; `questions`, in their order, each a dict of its `story` from 1, its `number` in it, the `question`, the
        right `word` (None: the story does not tell), `supports`, `others` that fit as well, and the one `given`.

    Raises:
        UserError: if a story asks nothing or cannot be read: which sentence, and the nearest template.
    """
    asked = [(story, answer) for story, answers in enumerate(_solve(stories, name), start=1)
             for answer in answers]  # fmt: skip
    given = [answer for _, answer in asked if answer.given is not None]
    return {
        "stories": len(stories),
        "given": len(given),
        "given_right": sum(_is_right(answer, answer.given) for answer in given),
        "questions": [{"story": story, **_described(answer)} for story, answer in asked],
    }


def _is_right(answer: Answer, word: str | None) -> bool:
    """Return whether a word is the answer, or one of those that fit as well."""
    return word == answer.word or word in answer.others


def _solve(stories: Sequence[str], name: str) -> list[tuple[Answer, ...]]:
    found = []
    for number, story in enumerate(stories, start=1):
        try:
            found.append(solve_all(story))
        except UserError as error:
            where = named(number, len(stories), name)
            raise UserError(f"{where}: {error}" if where else str(error)) from None
    return found


def _described(answer: Answer) -> Record:
    return {
        "number": answer.question.number,
        "question": answer.question.text,
        "word": answer.word,
        "supports": [sentence._asdict() for sentence in answer.supports],
        "others": list(answer.others),
        "given": answer.given,
    }
