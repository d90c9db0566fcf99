"""A story of a task as a function of its seed, split, task and number."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastweights.data import babi
from fastweights.errors import UserError, check_at_least, check_choice
from fastweights.tasks.babi import house, moves, reasoning
from fastweights.tasks.babi.draws import Draws
from fastweights.tasks.babi.telling import AS_RELEASED, Lengths, Line
from fastweights.tasks.babi.words import NAMED, NAMES, PEOPLE, check_enough, draw_world
from fastweights.tasks.shuffle import mix

RULES = 2
"""Changes whenever the same arguments give another story, so that none from before is taken from a cache."""


@dataclass(frozen=True)
class Story:
    """A story, with its questions, answers and supporting facts.

    Attributes:
        task: 1 to 20.
        lines: its sentences and questions, in order.
    """

    task: int
    lines: tuple[Line, ...]

    def words(self) -> str:
        """Return what `fastweights.data.babi.parse` makes of `text()`: words alone, each answer behind its "?"."""
        return " ".join(
            line.words if line.answer is None else f"{line.words} {line.answer}"
            for line in self.lines
        )

    def text(self) -> str:
        """Return the story as a file of the release has it: numbered lines, answers and supporting facts after tabs."""
        small = self.task in (15, 20)  # whose questions have names in lower case
        space = "" if self.task == 4 or self.task >= 15 else " "
        lines = []
        for number, (said, answer, supports) in enumerate(self.lines, start=1):
            names = PEOPLE if answer is None or not small else ()
            said = " ".join(w.capitalize() if w in names else w for w in said.split())
            said = said[0].upper() + said[1:-2] + said[-1]
            if answer is not None:
                shown = answer.capitalize() if answer in PEOPLE else answer
                said += f"{space}\t{shown}\t{' '.join(map(str, supports))}"
            lines.append(f"{number} {said}\n")
        return "".join(lines)


@dataclass(frozen=True)
class Options:
    """What stories are made with: the arguments of `story`."""

    names: str = "release"
    lengths: Lengths = AS_RELEASED
    people: int = 4
    things: int = 3

    def arguments(self) -> dict[str, object]:
        """Return them as `story` takes them."""
        lengths = self.lengths
        return {
            "names": self.names,
            "window": lengths.window,
            "questions": lengths.questions,
            "people": self.people,
            "things": self.things,
            **({"subquestions": True} if lengths.subquestions else {}),
        }

    def check(self, tasks: Sequence[int]) -> None:
        """Check that stories of these tasks can be made.

        Raises:
            UserError: as `story` does.
        """
        check_choice("choice of names", self.names, NAMES)
        check_at_least(1, window=self.lengths.window, questions=self.lengths.questions)
        if self.lengths.subquestions and 16 not in tasks:
            raise UserError("subquestions are of task 16, which is not among the tasks")
        for task in tasks:
            if task not in babi.ALL_TASKS:
                raise UserError(f"tasks are 1 to 20, not {task}")
            if task in NAMED:
                check_enough(task, self.names, self.people, self.things)


def story(
    task: int,
    number: int,
    *,
    seed: int = 0,
    split: str = "train",
    names: str = "release",
    window: int | None = 5,
    questions: int | None = None,
    people: int = 4,
    things: int = 3,
    subquestions: bool = False,
) -> Story:
    """Return a story, by the rules by which bAbI v1.2 is made.

    Args:
        task: 1 to 20.
        number: of the story, 0 or more; the same one is the same story.
        seed: any whole number.
        split: "train", "valid" or "test". No story of one has the sentences of a story of another, whatever the seed.
        names: "release": each task's own; "any": people, places and things of tasks 1-3 and 5-14 are drawn from all
            that there are; "held-out": some of those stand in test stories alone.
        window: tasks 1-3 and 5-14 ask about one of the last so many clauses; None: of any.
        questions: of a story of tasks 1-3, 5-15, 17 and 18; None: as many as in the release. Others have as many as
            their rules give.
        people: in tasks 1-3 and 5-14.
        things: in tasks 2, 3 and 5-8.
        subquestions: two of three train stories of task 16 ask a part of its question, of a color that was stated or of
            a kind. No story of the release does.

    Raises:
        UserError: for an unknown task, split or choice of names, a window or number of questions below 1, a negative
            number, subquestions without task 16, or if the names run out.

    Example:
        >>> print(story(4, 0).text().expandtabs(2), end="")
        1 The hallway is north of the kitchen.
        2 The office is south of the kitchen.
        3 What is the kitchen south of? hallway 1
        >>> story(4, 0).words().split()[-3:]
        ['of', '?', 'hallway']
    """
    check_choice("split", split, babi.SPLITS)
    check_at_least(0, number=number)
    options = Options(names, Lengths(questions, window, subquestions), people, things)
    options.check([task])
    return make(task, number, seed, split, options)


def make(
    task: int,
    number: int,
    seed: int,
    split: str,
    options: Options,
    first: list[int] | None = None,
) -> Story:
    """Return a story of options that were checked: one that falls into another split is drawn again.

    Args:
        task, number, seed, split: as of `story`.
        options: the others.
        first: the first draws of the key of `key`, number and 0, where they are known.
    """
    begin = key(seed, split, task)
    for attempt in itertools.count():
        draw = Draws(begin, number, attempt, first=None if attempt else first)
        lines = _told(draw, task, split, options)
        if split_of(task, [words for words, answer, _ in lines if answer is None]) == split:
            return Story(task, tuple(lines))
    raise AssertionError("attempts are endless")


@functools.lru_cache(maxsize=256)
def key(seed: int, split: str, task: int) -> int:
    """Return what a task's stories in a split are drawn by."""
    return int(mix(seed, babi.SPLITS.index(split), task))


def split_of(task: int, sentences: Iterable[str]) -> str:
    """Return the split that a story belongs to, by a hash of its sentences without the questions.

    Example:
        >>> split_of(1, ["mary went to the kitchen .", "john moved to the hallway ."])
        'train'
    """
    text = f"{task} {' '.join(sentences)}".encode()
    place = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") % 10
    return {0: "test", 1: "valid"}.get(place, "train")


def _told(draw: Draws, task: int, split: str, options: Options) -> list[Line]:
    lengths = options.lengths
    if task not in NAMED:
        asked = lengths if split == "train" else lengths._replace(subquestions=False)
        return reasoning.TOLD[task](draw, asked)
    world = draw_world(draw, task, options.names, split, options.people, options.things)
    tell = house.tell if task < 9 else moves.tell
    return tell(draw, task, world, lengths)
