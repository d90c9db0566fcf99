"""Associative retrieval: key-value pairs, then a key; the answer is its value."""

from __future__ import annotations

import functools
from fractions import Fraction
from math import factorial
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from fastweights.errors import UserError, unknown

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
SYMBOLS = LETTERS + DIGITS + "?"
QUESTION = SYMBOLS.index("?")
FORMS = ("paper", "trailing-read")


class Batch(NamedTuple):
    """Sequences with their answers.

    Attributes:
        tokens: [count, length], indices into the 37 symbols a-z, 0-9, ?.
        answer: [count], the digit asked for.
        slot: [count], which pair was asked for; 0 is the oldest.
    """

    tokens: Int[Tensor, "count length"]
    answer: Int[Tensor, " count"]
    slot: Int[Tensor, " count"]


class Retrieval:
    """`c9k8j3f1??c → 9`: after n letter-digit pairs and `??` comes one of the letters; its digit is the answer.

    Args:
        pairs: n, 1 to 26.
        form: "paper" asks at the key; "trailing-read" adds a last `?` after it and asks there.
        repeat_keys: draw the letters with repetition; the pair asked for is drawn first, so that a repeated letter
            can stand for more than one digit and nothing tells which is meant.

    Raises:
        UserError: for pairs out of range or an unknown form.

    Source: Ba et al. 2016, section 4.1.

    Example:
        >>> task = Retrieval(4)
        >>> task.decode(task.encode("c9k8j3f1??c"))
        'c9k8j3f1??c'
        >>> round(task.no_binding_ceiling, 4)
        0.3835
    """

    vocabulary = len(SYMBOLS)
    classes = len(DIGITS)

    def __init__(
        self,
        pairs: int = 4,
        *,
        form: Literal["paper", "trailing-read"] = "paper",
        repeat_keys: bool = False,
    ) -> None:
        if not 1 <= pairs <= len(LETTERS):
            raise UserError(
                f"pairs must be 1 to {len(LETTERS)} (there are 26 letters), not {pairs}"
            )
        if form not in FORMS:
            raise unknown("form", form, FORMS)
        self.pairs, self.form, self.repeat_keys = pairs, form, repeat_keys

    @property
    def length(self) -> int:
        """Symbols in a sequence."""
        return 2 * self.pairs + 3 + (self.form == "trailing-read")

    def sample(self, count: int, generator: torch.Generator) -> Batch:
        """Draw `count` sequences, all at once."""
        shape = (count, self.pairs)
        if self.repeat_keys:
            keys = torch.randint(len(LETTERS), shape, generator=generator)
        else:
            keys = _distinct(count, self.pairs, len(LETTERS), generator)
        values = torch.randint(len(DIGITS), shape, generator=generator)
        slot = torch.randint(self.pairs, (count,), generator=generator)
        tokens = torch.full((count, self.length), QUESTION)
        tokens[:, 0 : 2 * self.pairs : 2] = keys
        tokens[:, 1 : 2 * self.pairs : 2] = values + len(LETTERS)
        tokens[:, 2 * self.pairs + 2] = keys.gather(1, slot[:, None])[:, 0]
        return Batch(tokens, values.gather(1, slot[:, None])[:, 0], slot)

    def metrics(self, logits: Float[Tensor, "count classes"], batch: Batch) -> dict[str, Any]:
        """Score logits: accuracy, cross-entropy in nats, and accuracy by the slot asked for, oldest first."""
        right = (logits.argmax(1) == batch.answer).double()
        asked = torch.bincount(batch.slot, minlength=self.pairs)
        hits = torch.bincount(batch.slot, weights=right, minlength=self.pairs)
        return {
            "accuracy": float(right.mean()),
            "cross_entropy": float(F.cross_entropy(logits.double(), batch.answer)),
            "per_slot_accuracy": (hits / asked.clamp(min=1)).tolist(),
        }

    def encode(self, sequence: str) -> Int[Tensor, " length"]:
        """Turn a typed sequence, of any number of pairs, into tokens.

        Raises:
            UserError: naming the first thing that is wrong with it.
        """
        given = sequence.strip().lower()
        ending = "??q?" if self.form == "trailing-read" else "??q"
        example = "c9k8" + ending.replace("q", "c")
        for place, symbol in enumerate(given, start=1):
            if symbol not in SYMBOLS:
                raise UserError(
                    f"{sequence!r}: symbol {place} is {symbol!r}; accepted: a-z, 0-9 and ?"
                )
        pairs, tail = given[: -len(ending)], given[-len(ending) :]
        if (
            len(tail) < len(ending)
            or tail[:2] != "??"
            or tail[2] not in LETTERS
            or tail[3:] not in ("", "?")
        ):
            raise UserError(
                f"{sequence!r} must end in ?? and a letter, as in {example}"
                if self.form == "paper"
                else f"{sequence!r} must end in ??, a letter and ?, as in {example}"
            )
        keys, values = pairs[0::2], pairs[1::2]
        if (
            not pairs
            or len(pairs) % 2
            or any(k not in LETTERS for k in keys)
            or any(v not in DIGITS for v in values)
        ):
            raise UserError(
                f"{sequence!r} must begin with pairs of a letter and a digit, as in {example}"
            )
        if len(keys) > len(LETTERS):
            raise UserError(
                f"{sequence!r} has {len(keys)} pairs; at most {len(LETTERS)} are accepted"
            )
        if tail[2] not in keys:
            raise UserError(
                f"{sequence!r} asks for {tail[2]!r}, which never occurred: its keys are {', '.join(keys)}"
            )
        return torch.tensor([SYMBOLS.index(symbol) for symbol in given])

    def decode(self, tokens: Int[Tensor, " length"]) -> str:
        """Turn tokens back into the typed sequence."""
        return "".join(SYMBOLS[token] for token in tokens.tolist())

    @property
    def no_binding_ceiling(self) -> float:
        """Best accuracy of a model that knows which digits occurred but not which belongs to which key."""
        return float(_expected_maximum(self.pairs, len(DIGITS)) / self.pairs)

    @property
    def best_possible(self) -> float:
        """Best accuracy of any model; below 1 only where a repeated key may mean several digits."""
        if not self.repeat_keys:
            return 1.0
        return float(_best_with_repeats(self.pairs))


def _distinct(
    count: int, chosen: int, kinds: int, generator: torch.Generator
) -> Int[Tensor, "count chosen"]:
    """Draw rows of distinct integers below `kinds`, every ordered choice equally likely.

    The i-th draw is a rank among the kinds - i not yet taken (a Lehmer code); decoding it from the back makes room
    for each earlier choice. Thirty times faster than sorting random numbers.
    """
    columns = [torch.randint(kinds - i, (count,), generator=generator) for i in range(chosen)]
    for i in reversed(range(chosen)):
        for later in range(i + 1, chosen):
            columns[later] += columns[later] >= columns[i]
    return torch.stack(columns, 1)


@functools.cache
def _expected_maximum(draws: int, kinds: int) -> Fraction:
    """E[max count] of `draws` uniform draws from `kinds`: Σ_m P(max > m), by exact counting."""
    total = Fraction(0)
    for most in range(draws):
        # Words with no letter used more than `most` times, by exponential generating functions.
        ways = [Fraction(1)] + [Fraction(0)] * draws
        for _ in range(kinds):
            ways = [
                sum(
                    (ways[n - used] / factorial(used) for used in range(min(n, most) + 1)),
                    Fraction(0),
                )
                for n in range(draws + 1)
            ]
        total += 1 - ways[draws] * factorial(draws) / Fraction(kinds) ** draws
    return total


@functools.cache
def _best_with_repeats(pairs: int) -> Fraction:
    """Guess the commonest digit among the pairs of the asked letter: E[max count / count] over how often it occurs."""
    others, letters = pairs - 1, len(LETTERS)
    total = Fraction(0)
    for again in range(others + 1):
        ways = factorial(others) // (factorial(again) * factorial(others - again))
        chance = Fraction(ways * (letters - 1) ** (others - again), letters**others)
        total += chance * _expected_maximum(again + 1, len(DIGITS)) / (again + 1)
    return total
