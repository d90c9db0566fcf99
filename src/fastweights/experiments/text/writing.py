"""Continue a text with a language model, word by word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from fastweights.errors import check_seed
from fastweights.experiments.text.predict import encode, open_model
from fastweights.models import generate
from fastweights.tasks.text_tokenizer import Tokenizer

BEHIND = 8
"""Tokens before a new one that decide how it is written: the space before it, the bytes of a letter begun."""

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What stands at the end of a text whose last letter lacks a byte."""


class Writing(NamedTuple):
    """A text that is being written.

    Attributes:
        pieces: what is added to the prompt, piece by piece as words come; each may be empty.
        unknown: words of the prompt that stand as <unk> because the model does not know them.
    """

    pieces: Iterator[str]
    unknown: list[str]


def write(
    folder: Path,
    prompt: str,
    count: int = 100,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
) -> Writing:
    """Continue a text.

    Args:
        folder: a run of the task text; its data is not needed.
        prompt: at least one word.
        count: of words, or of pieces where the run's tokens are pieces.
        temperature: divides the logits; 0 takes the likeliest word.
        top_k: draw among so many likeliest words; None: all.
        top_p: draw among the fewest likeliest words that have this probability together; None: all.
        seed: of the draws.

    Raises:
        UserError: if the folder is no such run, the prompt is empty or cannot be encoded, or a number is out of range.
    """
    check_seed(seed)
    model, tokenizer = open_model(folder)
    tokens, unknown = encode(tokenizer, prompt)
    generated = generate(
        model,
        tokens[None],
        count,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        generator=torch.Generator().manual_seed(seed),
    )
    return Writing(
        spelled(tokenizer, tokens[1:].tolist(), (int(word) for word in generated)), unknown
    )


def spelled(tokenizer: Tokenizer, before: list[int], tokens: Iterable[int]) -> Iterator[str]:
    """Decode the tokens that come behind others; together the pieces are what the tokenizer makes of all at once.

    Example:
        >>> from fastweights.tasks.text_words import Words
        >>> words = Words(["<unk>", "<eos>", "the", "cat", "sat"])
        >>> list(spelled(words, [2], [3, 1, 2, 3]))
        [' cat', '\\n', 'the', ' cat']
    """
    written, new = before[-BEHIND:], []
    for token in tokens:
        new.append(token)
        text = tokenizer.decode(written + new)
        piece = text[len(tokenizer.decode(written)) :]
        if piece.endswith(UNFINISHED) and len(new) < BEHIND:
            yield ""
            continue
        yield piece
        written, new = (written + new)[-BEHIND:], []
