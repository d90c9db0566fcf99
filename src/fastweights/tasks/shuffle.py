"""Orders and choices as pure functions of a key: nothing is drawn, so there is no generator state to keep.

Integers only and of stated form, so an order is the same on every machine and with every version of NumPy.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, UInt64
from numpy import ndarray

_ROUNDS = 4


def mix(*parts: int | Int[ndarray, "*_any"] | UInt64[ndarray, "*_any"]) -> UInt64[ndarray, "*_any"]:
    """Hash integers, element by element, into 64 well mixed bits.

    h ← S(h + 0x9E3779B97F4A7C15 + part) for each part, beginning with h = 0, where S is SplitMix64's finaliser
    (Steele, Lea, Flood 2014).

    Args:
        parts: integers and arrays that broadcast against each other.

    Example:
        >>> hex(int(mix(0)))
        '0xe220a8397b1dcdaf'
    """
    mixed = np.uint64(0)
    with np.errstate(over="ignore"):
        for part in parts:
            word = (
                np.uint64(part & (2**64 - 1)) if isinstance(part, int) else part.astype(np.uint64)
            )
            mixed = mixed + word + np.uint64(0x9E3779B97F4A7C15)
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed = mixed ^ (mixed >> np.uint64(31))
    return np.asarray(mixed)


def permute(
    places: Int[ndarray, "*shape"], count: int, key: UInt64[ndarray, "*shape"]
) -> Int[ndarray, "*shape"]:
    """Look places up in the shuffled order 0 … count - 1 that belongs to each key.

    On b bits, x → (x · odd + c) mod 2^b and x → x xor (x >> b/2) each reach every number once, so rounds of the two
    with keyed constants shuffle 0 … 2^b - 1. What falls on count or above goes through again, until it falls below:
    so each number below count is still reached once.

    Args:
        places: 0 to count - 1.
        count: how many things are in the order, 1 or more.
        key: for every place, that of the order it belongs to.

    Example:
        >>> order = permute(np.arange(5), 5, np.full(5, 7, np.uint64))
        >>> sorted(order.tolist())
        [0, 1, 2, 3, 4]
    """
    bits = max(2, (count - 1).bit_length())
    within, shift = np.uint64(2**bits - 1), np.uint64((bits + 1) // 2)
    constants = [(mix(key, 2 * i) | np.uint64(1), mix(key, 2 * i + 1)) for i in range(_ROUNDS)]
    x = places.astype(np.uint64)
    outside = np.ones(x.shape, bool)
    while outside.any():
        y = x
        for odd, constant in constants:
            y = (y * odd + constant) & within
            y = y ^ (y >> shift)
        x = np.where(outside, y, x)
        outside = x >= count
    return x.astype(np.int64)
