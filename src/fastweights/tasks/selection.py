"""Which stories catbAbI is made of: those kept, the fixed order of evaluation, an epoch of training, the counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from fastweights.data import babi
from fastweights.errors import UserError, unknown
from fastweights.tasks.shuffle import mix
from fastweights.tasks.stories import Stories
from fastweights.tasks.streams import Draws

_ORDER = 2021
"""Seed of the one shuffle of validation and test stories."""


RENAME = ("missing", "none", "all")
"""Which stories are renamed, where not some tasks' alone."""


class Counts(NamedTuple):
    """How much a split holds; tokens are words, "." and "?", without <eos>."""

    stories: int
    questions: int
    tokens: int


PUBLISHED = {"train": (56376, 179909), "valid": (6245, 19907), "test": (6247, 19910)}
"""Stories and questions of each split in Schlag et al. 2021, Table 3."""


def kept(stories: Stories, split: str, *, last: bool) -> Int[ndarray, " chosen"]:
    """Return the stories of a split in an order of their own, which tasks that are left out do not change.

    Args:
        stories: all of them.
        split: of `babi.SPLITS`.
        last: keep the last story of each file too. Of a file that is there in part, the last is not known, so none is
            left out.

    Raises:
        UserError: if none is left.
    """
    files = stories.splits.astype(np.int64) * (len(babi.ALL_TASKS) + 1) + stories.tasks
    first = np.flatnonzero(np.diff(files, prepend=-1))
    wanted = stories.splits == babi.SPLITS.index(split)
    if not last:
        ends = np.append(first[1:], len(files)) - 1
        part = stories.partial & (stories.tasks[ends] == 3) & (stories.splits[ends] == 0)
        wanted[ends[~part]] = False
    if not wanted.any():
        raise UserError(
            f"no story of {split} is left: the last of each file is left out; keep it with stories 'all'"
        )
    place = np.arange(len(files)) - np.repeat(first, np.diff(first, append=len(files)))
    key = mix(_ORDER, stories.tasks.astype(np.int64), place)
    chosen = np.flatnonzero(wanted)
    return chosen[np.argsort(key[chosen], kind="stable")]


def missing(stories: Stories, train: Int[ndarray, " chosen"], *, last: bool) -> dict[int, int]:
    """Count the train stories that are not there, by task."""
    if not stories.partial:
        return {}
    here = int(np.count_nonzero(stories.tasks[train] == 3))
    return {3: max(babi.WHOLE_TASK_3 - (not last) - here, 0)}


def epoch(
    stories: Stories,
    train: Int[ndarray, " chosen"],
    *,
    copies: Mapping[int, int],
    renamed: Collection[int],
    repeats: Mapping[int, int],
) -> Draws:
    """List what an epoch of training is made of.

    Args:
        stories: all of them.
        train: those to draw from.
        copies: of each task, how many renamed copies of its stories, taken in turn, come on top.
        renamed: tasks all of whose stories are renamed.
        repeats: of each task, how often its stories come; 1 where not named.
    """
    drawn = np.sort(train)
    always = np.isin(stories.tasks[drawn], list(renamed))
    for task, count in copies.items():
        own = drawn[stories.tasks[drawn] == task]
        drawn = np.append(drawn, np.resize(own, count))
        always = np.append(always, np.ones(count, bool))
    times = np.array([repeats.get(int(task), 1) for task in stories.tasks[drawn]])
    return Draws(np.repeat(drawn, times), np.repeat(always, times))


def count(stories: Stories, chosen: Int[ndarray, " chosen"]) -> Counts:
    """Count stories, questions and words."""
    asked = np.append(0, np.cumsum(stories.tokens == stories.vocabulary.index("?")))
    ends = np.append(stories.starts, len(stories.tokens) - 1)
    questions = asked[ends[chosen + 1]] - asked[ends[chosen]]
    words = ends[chosen + 1] - ends[chosen] - 1
    return Counts(len(chosen), int(questions.sum()), int(words.sum()))


def check_published(counts: Mapping[str, Counts], lacking: Collection[str] = ()) -> None:
    """Raise `UserError` unless the counts are those published, but for the splits that lack stories."""
    for split, expected in PUBLISHED.items():
        if counts[split][:2] != expected and split not in lacking:
            raise UserError(
                f"{split} has {counts[split][:2]} stories and questions, published are {expected}:"
                " is this bAbI v1.2?"
            )


def words_by_task(stories: Stories) -> dict[int, set[str]]:
    """Return the words that each task's stories use."""
    lengths = np.diff(stories.starts, append=len(stories.tokens) - 1)
    task = np.repeat(stories.tasks, lengths)
    return {
        int(number): {stories.vocabulary[t] for t in np.unique(stories.tokens[:-1][task == number])}
        for number in np.unique(stories.tasks)
    }


def check_tasks(tasks: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of tasks, each once, sorted; raise `UserError` if there is none, or one is not 1 to 20."""
    numbers = tuple(sorted(set(tasks)))
    if not numbers:
        raise UserError("no tasks are named; accepted: 1 to 20")
    for number in numbers:
        if number not in babi.ALL_TASKS:
            raise UserError(f"tasks are 1 to 20, not {number}")
    return numbers


def check_some(some: Sequence[int], tasks: tuple[int, ...], what: str) -> tuple[int, ...]:
    """Return the numbers of some of the tasks, sorted; raise `UserError` if one is none of them."""
    numbers = check_tasks(some)
    _check_among(numbers, tasks, what)
    return numbers


def check_rename(rename: str | Sequence[int], tasks: tuple[int, ...]) -> str | tuple[int, ...]:
    """Return which stories are renamed: one of `RENAME`, or tasks; raise `UserError` if it is neither."""
    if isinstance(rename, str):
        if rename not in RENAME:
            raise unknown("renaming", rename, (*RENAME, "numbers of tasks"))
        return rename
    return check_some(rename, tasks, "renamed")


def check_repeats(
    repeats: Mapping[int, int] | Mapping[str, int], tasks: tuple[int, ...]
) -> dict[int, int]:
    """Return how often stories of tasks come; raise `UserError` for another task, or a number below 1."""
    times = {int(task): count for task, count in sorted(repeats.items(), key=lambda r: int(r[0]))}
    _check_among(times, tasks, "repeated")
    for task, count in times.items():
        if count < 1:
            raise UserError(
                f"stories of task {task} come at least once in an epoch, not {count} times"
            )
    return times


def _check_among(numbers: Collection[int], tasks: tuple[int, ...], what: str) -> None:
    for number in numbers:
        if number not in tasks:
            raise UserError(
                f"task {number} cannot be {what}: it is not one of {', '.join(map(str, tasks))}"
            )
