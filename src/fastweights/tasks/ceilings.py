"""How well a retrieval model can do: without binding values to keys, and at all. Exact, in rational arithmetic."""

from __future__ import annotations

import functools
from fractions import Fraction
from math import comb


def no_binding(pairs: int, digits: int = 10) -> Fraction:
    """Best accuracy of a model that knows which digits occurred, but not which key each belongs to.

    It answers with the commonest one, and is right with probability E[max count] / n.

    Example:
        >>> no_binding(2), float(no_binding(4))
        (Fraction(11, 20), 0.3835)
    """
    return expected_maximum(pairs, digits) / pairs


@functools.cache
def best_with_repeats(pairs: int, letters: int = 26, digits: int = 10) -> Fraction:
    """Best accuracy of any model where keys are drawn with repetition and the pair asked for is drawn uniformly.

    Of the other n - 1 pairs, k carry the letter asked for with probability Binomial(n - 1, 1/26). Any of those k + 1
    pairs is the one meant with equal probability, so the commonest of their digits is the best answer.

    Example:
        >>> round(float(best_with_repeats(4)), 4)
        0.9495
    """
    others = pairs - 1
    total = Fraction(0)
    for again in range(others + 1):
        ways = comb(others, again) * (letters - 1) ** (others - again)
        total += Fraction(ways, letters**others) * no_binding(again + 1, digits)
    return total


@functools.cache
def expected_maximum(draws: int, kinds: int) -> Fraction:
    """E[max count] of uniform draws from `kinds`: Σ_m P(max > m).

    Words of n symbols, none used more than m times, are counted by adding one symbol at a time: a word of length n
    has j of it in C(n, j) places.

    Example:
        >>> expected_maximum(2, 2)
        Fraction(3, 2)
    """
    total = Fraction(0)
    for most in range(draws):
        words = [1] + [0] * draws
        for _ in range(kinds):
            words = [
                sum(comb(n, j) * words[n - j] for j in range(min(n, most) + 1))
                for n in range(draws + 1)
            ]
        total += 1 - Fraction(words[draws], kinds**draws)
    return total
