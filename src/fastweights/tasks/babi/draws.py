"""Draws as a pure function of a key, in integer arithmetic alone: the same on every machine and in every Python."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import UInt64
from numpy import ndarray

from fastweights.tasks.shuffle import mix

T = TypeVar("T")

_BITS = 30
"""Bits of a draw: a product with a small number is quick, and no choice is off by more than 1e-7."""
_SHIFT = np.uint64(64 - _BITS)
_FIRST, _LATER = 128, 512
"""Draws hashed at a time: most stories take fewer than the first ones."""
_PLACES = np.arange(_FIRST)


class Draws:
    """An endless sequence of draws that belongs to a key.

    Args:
        key: integers; the same ones give the same draws.
        first: the first of them, of `first_draws`, where many keys are looked up at once.

    Example:
        >>> first, again = Draws(1, 2), Draws(1, 2)
        >>> [first.below(6) for _ in range(8)] == [again.below(6) for _ in range(8)]
        True
    """

    __slots__ = ("_next",)

    def __init__(self, *key: int, first: list[int] | None = None) -> None:
        self._next = itertools.chain.from_iterable(_blocks(key, first)).__next__

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


def first_draws(*key: int | UInt64[ndarray, " keys"]) -> list[list[int]]:
    """Return the first draws of many keys, whose parts are numbers or arrays of them."""
    parts = [part if isinstance(part, int) else part[:, None] for part in key]
    return (mix(*parts, _PLACES) >> _SHIFT).tolist()


def _blocks(key: tuple[int, ...], first: list[int] | None) -> Iterator[list[int]]:
    yield (mix(*key, _PLACES) >> _SHIFT).tolist() if first is None else first
    for begin in itertools.count(_FIRST, _LATER):
        yield (mix(*key, np.arange(begin, begin + _LATER)) >> _SHIFT).tolist()
