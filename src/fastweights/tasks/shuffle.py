"""Orders and choices as pure functions of a key: nothing is drawn, so there is no generator state to keep.

Integers only and of stated form, so an order is the same on every machine and with every version of NumPy.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, UInt64
from numpy import ndarray

_ROUNDS = 4

_ALL = 2**64 - 1
_GAP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_GAP_64, _FIRST_64, _SECOND_64 = map(np.uint64, (_GAP, _FIRST, _SECOND))
_30, _27, _31 = map(np.uint64, (30, 27, 31))


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
    mixed = 0  # a Python integer, which is quicker than a NumPy one, until the first array
    with np.errstate(over="ignore"):
        for part in parts:
            if isinstance(part, int) and isinstance(mixed, int):
                x = (mixed + part + _GAP) & _ALL
                x = ((x ^ (x >> 30)) * _FIRST) & _ALL
                x = ((x ^ (x >> 27)) * _SECOND) & _ALL
                mixed = x ^ (x >> 31)
                continue
            word = np.uint64(part & _ALL) if isinstance(part, int) else part.astype(np.uint64)
            before = np.uint64((mixed + _GAP) & _ALL) if isinstance(mixed, int) else mixed + _GAP_64
            x = word + before
            x ^= x >> _30
            x *= _FIRST_64
            x ^= x >> _27
            x *= _SECOND_64
            x ^= x >> _31
            mixed = x
    return np.asarray(mixed, np.uint64)


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
