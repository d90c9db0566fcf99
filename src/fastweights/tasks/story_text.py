"""A story as a person types it turned into tokens, and tokens turned back into words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from fastweights.errors import UserError
from fastweights.tasks.checks import list_tokens
from fastweights.tasks.stories import EOS, SPECIAL

_WORD = re.compile(r"[^\s.?,]+(?:\s*,\s*[^\s.?,]+)*|[.?,]")


def encode(text: str, vocabulary: Sequence[str]) -> Int[Tensor, " time"]:
    """Encode a typed story as tokens, <eos> before it.

    Args:
        text: sentences that end in "." or "?", in any case; an answer may follow a "?" (a list of words with commas is
            one answer), and a "." after it is forgiven.
        vocabulary: words in the order of their tokens.

    Raises:
        UserError: naming the first word outside the vocabulary and the nearest in it, or if nothing is asked.

    Example:
        >>> words = ["<pad>", "<eos>", ".", "?", "is", "kitchen", "mary", "to", "went", "where", "the"]
        >>> encode("Mary went to the kitchen. Where is Mary? kitchen", words).tolist()
        [1, 6, 8, 7, 10, 5, 2, 9, 4, 6, 3, 5]
    """
    found = tokens(text, vocabulary)
    if "?" not in text:
        raise UserError("the story asks nothing: add a question, such as 'Where is Mary?'")
    return torch.tensor([EOS, *found], device="cpu")


def tokens(text: str, vocabulary: Sequence[str]) -> list[int]:
    """Encode a part of a typed story as tokens, as `encode` does.

    Raises:
        UserError: naming the first word outside the vocabulary and the nearest in it.

    Example:
        >>> tokens("Mary went.", ["<pad>", "<eos>", ".", "mary", "went"])
        [3, 4, 2]
    """
    words = [re.sub(r"\s", "", word) for word in _WORD.findall(text.lower())]
    words = [w for i, w in enumerate(words) if not (w == "." and words[max(i - 2, 0)] == "?")]
    index = {word: token for token, word in enumerate(vocabulary)}
    for word in words:
        if word not in index or word in SPECIAL:
            known = [other for other in index if other not in SPECIAL]
            near = difflib.get_close_matches(word, known, n=1, cutoff=0)
            hint = f"; the nearest is {near[0]!r}" if near else ""
            raise UserError(f"{word!r} is not one of the {len(index)} known words{hint}")
    return [index[word] for word in words]


def decode(tokens: Int[Tensor, " time"], vocabulary: Sequence[str]) -> str:
    """Decode tokens to words with spaces between them.

    Raises:
        UserError: for a number that is no token.
    """
    return " ".join(vocabulary[number] for number in list_tokens(tokens, len(vocabulary)))
