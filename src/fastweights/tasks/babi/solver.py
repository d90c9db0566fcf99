"""One reader for the 20 tasks, told no task's number: it answers by rules what a story tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fastweights.errors import UserError
from fastweights.tasks.babi import answers as rules
from fastweights.tasks.babi.templates import match, plain, refusal
from fastweights.tasks.babi.world import World


class Sentence(NamedTuple):
    """A sentence of a story, and its number: questions count too, as in the release's files."""

    number: int
    text: str


class Answer(NamedTuple):
    """What a story tells of a question.

    Attributes:
        question: as it was asked.
        word: the answer, one word ("milk,football" and "n,e" too); None: the story does not tell.
        supports: the sentences it follows from, the most telling first.
        others: answers that fit as well, where the story leaves several open.
        given: the answer that the text itself has behind the question.
    """

    question: Sentence
    word: str | None
    supports: tuple[Sentence, ...] = ()
    others: tuple[str, ...] = ()
    given: str | None = None


class Reader:
    """Reads a story sentence by sentence, and can be asked at any time.

    Example:
        >>> reader = Reader()
        >>> reader.tell("Mary got the milk there.")
        >>> reader.ask("Where is the milk?").word is None
        True
        >>> reader.tell("Mary went back to the kitchen.")
        >>> answer = reader.ask("Where is the milk?")
        >>> answer.word, [sentence.number for sentence in answer.supports]
        ('kitchen', [1, 3])
    """

    def __init__(self) -> None:
        self._world = World()
        self._sentences: list[Sentence] = []

    def tell(self, sentence: str) -> None:
        """Take in a statement; the "." may be left out.

        Raises:
            UserError: if it is none of the templates, with the nearest; what was read before stays.
        """
        number = len(self._sentences) + 1
        clause = match(sentence, asked=False)
        if clause is None:
            raise refusal(number, sentence, asked=False)
        self._world.tell(number, clause)
        self._sentences.append(Sentence(number, sentence.strip()))

    def ask(self, question: str, given: str | None = None) -> Answer:
        """Answer a question; the "?" may be left out.

        Args:
            question: of any of the tasks.
            given: the answer somebody gives to it, to be kept beside the right one.

        Raises:
            UserError: if it is none of the templates, with the nearest.
        """
        asked = Sentence(len(self._sentences) + 1, question.strip())
        clause = match(question, asked=True)
        if clause is None:
            raise refusal(asked.number, question, asked=True)
        found = rules.find(self._world, clause.action, clause.words)
        self._sentences.append(asked)
        if found is None:
            return Answer(asked, None, given=given)
        supports = tuple(self._sentences[number - 1] for number in dict.fromkeys(found.told))
        return Answer(asked, found.word, supports, found.others, given)


def solve(story: str | Sequence[str]) -> Answer:
    """Answer the last question of a story.

    Args:
        story: sentences that end in "." or "?", in any case, or its words; an answer may follow a "?".

    Raises:
        UserError: if nothing is asked, or a sentence is none of the tasks' templates: which, and the nearest template.

    Example:
        >>> answer = solve("Wolves are afraid of cats. Emily is a wolf. What is Emily afraid of?")
        >>> answer.word, [sentence.text for sentence in answer.supports]
        ('cat', ['Emily is a wolf.', 'Wolves are afraid of cats.'])
    """
    return solve_all(story)[-1]


def solve_all(story: str | Sequence[str]) -> tuple[Answer, ...]:
    """Answer the questions of a story in their order, each from what stands before it, as `solve` does."""
    reader = Reader()
    text = story if isinstance(story, str) else " ".join(story)
    answers = []
    for sentence, given in sentences(text):
        if sentence.endswith("?"):
            answers.append(reader.ask(sentence, given))
        else:
            reader.tell(sentence)
    if not answers:
        raise UserError("the story asks nothing: add a question, such as 'Where is Mary?'")
    return tuple(answers)


_PIECE = re.compile(r"[^.?]+[.?]?")
_GIVEN = re.compile(r"([^\s,]+(?:\s*,\s*[^\s,]+)*)\s*")
"""An answer behind a question: one word, or several with commas."""


def sentences(text: str) -> Iterator[tuple[str, str | None]]:
    """Cut a text into its sentences, each with the answer that is given behind it, if it is a question."""
    question: str | None = None
    for piece in _PIECE.findall(text):
        sentence = " ".join(piece[:-1].split()) + piece[-1].strip()
        if question is not None:
            given, sentence = _split_given(sentence)
            yield question, given
            question = None
        if not plain(sentence):
            continue
        if sentence.endswith("?"):
            question = sentence
        else:
            yield sentence, None
    if question is not None:
        yield question, None


def _split_given(sentence: str) -> tuple[str | None, str]:
    """Return the answer in front of a sentence, if there is one, and the sentence."""
    asked, found = sentence.endswith("?"), _GIVEN.match(sentence)
    if found is None or match(sentence, asked):
        return None, sentence
    rest = sentence[found.end() :]
    if plain(rest) and match(rest, asked) is None:
        return None, sentence
    return re.sub(r"\s", "", found[1]).rstrip(".").lower(), rest
