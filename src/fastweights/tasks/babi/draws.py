"""Draws as a pure function of a key, in integer arithmetic alone: the same on every machine and in every Python."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from fastweights.tasks.shuffle import mix

T = TypeVar("T")

_BITS = 30
"""Bits of a draw: a product with a small number is quick, and no choice is off by more than 1e-7."""
_FIRST, _LATER = 128, 512
"""Draws hashed at a time: most stories take fewer than the first ones."""


class Draws:
    """An endless sequence of draws that belongs to a key.

    Args:
        key: integers; the same ones give the same draws.

    Example:
        >>> first, again = Draws(1, 2), Draws(1, 2)
        >>> [first.below(6) for _ in range(8)] == [again.below(6) for _ in range(8)]
        True
    """

    __slots__ = ("_next",)

    def __init__(self, *key: int) -> None:
        self._next = itertools.chain.from_iterable(_blocks(key)).__next__

    def below(self, count: int) -> int:
        """Draw 0 to `count` - 1, each alike."""
        return self._next() * count >> _BITS

    def pick(self, things: Sequence[T]) -> T:
        """Draw one of some things, each alike."""
        return things[self._next() * len(things) >> _BITS]

    def other(self, things: Sequence[T], *taken: T) -> T:
        """Draw one of some things that is none of those taken; there must be one."""
        while True:
            thing = things[self._next() * len(things) >> _BITS]
            if thing not in taken:
                return thing

    def sample(self, things: Sequence[T], count: int) -> list[T]:
        """Draw so many different ones of some things, in random order."""
        left = list(things)
        return [left.pop(self.below(len(left))) for _ in range(count)]

    def order(self, things: Sequence[T]) -> list[T]:
        """Draw an order of some things, each alike."""
        return self.sample(things, len(things))

    def weighted(self, weights: Sequence[int]) -> int:
        """Draw a place in some weights, each as often as its weight says."""
        drawn = self.below(sum(weights))
        for place, weight in enumerate(weights):
            drawn -= weight
            if drawn < 0:
                return place
        raise AssertionError("a draw is below the sum of the weights")


def _blocks(key: tuple[int, ...]) -> Iterator[list[int]]:
    shift = np.uint64(64 - _BITS)
    for begin in itertools.chain((0,), itertools.count(_FIRST, _LATER)):
        places = np.arange(begin, begin + (_LATER if begin else _FIRST))
        yield (mix(*key, places) >> shift).tolist()
