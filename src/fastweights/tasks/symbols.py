"""The 37 symbols of associative retrieval, and what a person types turned into tokens and back."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from fastweights.errors import UserError
from fastweights.tasks.checks import list_tokens

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
SYMBOLS = LETTERS + DIGITS + "?"
QUESTION = SYMBOLS.index("?")

ENDINGS = {"paper": "??q", "trailing-read": "??q?"}
"""How a sequence ends in each form; q stands for the letter asked for."""


def encode(sequence: str, form: str) -> Int[Tensor, " length"]:
    """Encode a typed sequence, of any number of pairs, as tokens.

    Args:
        sequence: letter-digit pairs and the form's ending; upper case and space around it are forgiven.
        form: a key of `ENDINGS`.

    Raises:
        UserError: naming the first thing that is wrong with it, and where.

    Example:
        >>> encode("b7??b", "paper").tolist()
        [1, 33, 36, 36, 1]
    """
    given = sequence.strip().lower()
    _check_symbols(given)
    pairs = _split_ending(given, form)
    _check_pairs(given, pairs)
    keys, asked = pairs[0::2], given[len(pairs) + 2]
    if asked not in keys:
        raise UserError(
            f"{given!r} asks for {asked!r}, which never occurred: its keys are {', '.join(keys)}"
        )
    return torch.tensor([SYMBOLS.index(symbol) for symbol in given], device="cpu")


def decode(tokens: Int[Tensor, " length"]) -> str:
    """Decode tokens to the sequence as a person types it.

    Raises:
        UserError: for a token outside 0 to 36.

    Example:
        >>> decode(torch.tensor([1, 33, 36, 36, 1]))
        'b7??b'
    """
    return "".join(SYMBOLS[number] for number in list_tokens(tokens, len(SYMBOLS)))


def _check_symbols(given: str) -> None:
    if not given:
        raise UserError("the sequence is empty; one is c9k8??c")
    for place, symbol in enumerate(given, start=1):
        if symbol not in SYMBOLS:
            raise UserError(f"{given!r}: symbol {place} is {symbol!r}; accepted: a-z, 0-9 and ?")


def _split_ending(given: str, form: str) -> str:
    """Check the ending and return what comes before it."""
    ending, example = ENDINGS[form], f"c9k8{ENDINGS[form].replace('q', 'c')}"
    if "??" not in given:
        raise UserError(f"{given!r} lacks the ?? between its pairs and the key, as in {example}")
    pairs, _, tail = given.partition("??")
    if tail[:1] not in LETTERS or tail[:1] == "" or tail[1:] != ending[3:]:
        wanted = "?? and a letter" if form == "paper" else "??, a letter and one more ?"
        raise UserError(f"{given!r} must end in {wanted} (the {form} form), as in {example}")
    return pairs


def _check_pairs(given: str, pairs: str) -> None:
    if not pairs:
        raise UserError(f"{given!r} has no pairs before the ??; one with two is c9k8??c")
    for place, symbol in enumerate(pairs, start=1):
        wanted, accepted = ("a digit", DIGITS) if place % 2 == 0 else ("a letter", LETTERS)
        if symbol not in accepted:
            raise UserError(
                f"{given!r}: symbol {place} is {symbol!r} where {wanted} belongs;"
                " letters and digits take turns before the ??"
            )
    if len(pairs) % 2:
        raise UserError(f"{given!r}: the letter {pairs[-1]!r} before the ?? has no digit")
    if len(pairs) // 2 > len(LETTERS):
        raise UserError(
            f"{given!r} has {len(pairs) // 2} pairs; at most {len(LETTERS)} are accepted"
        )
