"""Which words of a bAbI task may change places within a story, so that it stays a story of that task.

A renaming permutes the words of each class: what happens, what is asked and what is answered stay consistent.
Directions, numbers, yes and no are never renamed; neither is a word that means something in its task: the motives of
task 20, the box of task 18 (there is a box of chocolates too), most of task 17's words (its spheres are always red),
sheep in task 15 (one word for one and for many). In task 11, "he" and "she" tell people apart.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Int, UInt64
from numpy import ndarray

from fastweights.tasks.shuffle import mix

Unit = tuple[str, ...]
"""Words that move together: a wolf and wolves."""


def _words(line: str) -> tuple[Unit, ...]:
    return tuple(tuple(unit.split("/")) for unit in line.split())


_PEOPLE = _words("daniel john mary sandra")
_OTHERS = _words("bill fred julie mary")
_ROOMS = _words("bathroom bedroom garden hallway kitchen office")
_TOWN = _words("bedroom cinema kitchen office park school")
_THINGS = _words("apple football milk")

CLASSES: dict[int, tuple[tuple[Unit, ...], ...]] = {
    **dict.fromkeys((1, 9, 12, 13), (_PEOPLE, _ROOMS)),
    **dict.fromkeys((2, 3, 6, 7, 8), (_PEOPLE, _ROOMS, _THINGS)),
    **dict.fromkeys((4, 19), (_ROOMS,)),
    **dict.fromkeys((10, 14), (_OTHERS, _TOWN)),
    5: (_words("bill fred jeff mary"), _ROOMS, _THINGS),
    11: (_words("daniel john"), _words("mary sandra"), _ROOMS),
    15: (_words("emily gertrude jessica winona"), _words("cat/cats mouse/mice wolf/wolves")),
    16: (
        _words("bernhard brian greg julius lily"),
        _words("frog lion rhino swan"),
        _words("gray green white yellow"),
    ),
    17: (_words("blue yellow"),),
    18: (_words("chest container suitcase"),),
    20: (_words("antoine jason sumit yann"),),
}
"""The classes of each task; a task's own stories use each of a class's words alike."""

_MOST = max(map(len, CLASSES.values()))


def classes_in(task: int, words: Collection[str]) -> list[tuple[Unit, ...]]:
    """Return the classes of a task, of the units whose words all occur, where two or more do."""
    present = (tuple(u for u in units if all(w in words for w in u)) for units in CLASSES[task])
    return [units for units in present if len(units) > 1]


def renamings(units: Sequence[Unit], words: Collection[str]) -> Iterator[dict[str, str]]:
    """Yield the renamings of one class, the identity first: what becomes of each word, and of each list of them.

    Example:
        >>> list(renamings((("milk",), ("apple",)), ["apple", "milk", "to", "apple,milk"]))[1]
        {'milk': 'apple', 'apple': 'milk', 'apple,milk': 'milk,apple'}
    """
    own = {word for unit in units for word in unit}
    lists = [word for word in words if "," in word and own & set(word.split(","))]
    for images in itertools.permutations(units):
        to = dict(zip(itertools.chain(*units), itertools.chain(*images), strict=True))
        yield to | {word: ",".join(to.get(w, w) for w in word.split(",")) for word in lists}


def reachable(task: int, words: Collection[str]) -> set[str]:
    """Return the words that renamed stories of a task may hold: its own, and its lists with other words in them."""
    found = set(words)
    for units in classes_in(task, words):
        found |= {image for to in renamings(units, frozenset(found)) for image in to.values()}
    return found


class Renaming:
    """Renamings as a table that tokens are looked up in.

    Args:
        vocabulary: all words, in the order of their tokens.
        words: those of each task.
    """

    def __init__(self, vocabulary: Sequence[str], words: Mapping[int, Collection[str]]) -> None:
        self._width = len(vocabulary)
        token = {word: place for place, word in enumerate(vocabulary)}
        rows = [np.arange(self._width, dtype=np.int16)]
        self._first = np.zeros((max(CLASSES) + 1, _MOST), np.int64)
        self._count = np.ones_like(self._first)
        for task in words:
            own = reachable(task, words[task])
            for place, units in enumerate(classes_in(task, own)):
                self._first[task, place] = len(rows)
                self._count[task, place] = math.factorial(len(units))
                for to in renamings(units, own):
                    row = rows[0].copy()
                    row[[token[word] for word in to]] = [token[word] for word in to.values()]
                    rows.append(row)
        self._table = np.concatenate(rows)

    def choose(
        self,
        tasks: Int[ndarray, "rows stories"],
        renamed: Bool[ndarray, "rows stories"],
        key: UInt64[ndarray, "rows stories"],
    ) -> Int[ndarray, "classes rows stories"]:
        """Choose a renaming for each story.

        Args:
            tasks: of the stories.
            renamed: which of them are to be renamed; the others get the identity.
            key: the same key means the same renaming.

        Returns:
            for each class of the task, where `apply` looks.
        """
        chosen = [
            self._first[tasks, place]
            + (mix(key, place) % self._count[tasks, place].astype(np.uint64)).astype(np.int64)
            for place in range(_MOST)
        ]
        return np.stack(chosen) * (renamed * self._width)

    def apply(
        self, tokens: Int[ndarray, "rows time"], chosen: Int[ndarray, "classes rows time"]
    ) -> Int[ndarray, "rows time"]:
        """Rename tokens: class by class, which commute since no word is in two classes of a task."""
        for place in chosen:
            tokens = self._table[place + tokens]
        return tokens
