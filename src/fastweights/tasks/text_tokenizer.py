"""Texts turned into tokens and back; a tokenizer is rebuilt from a few plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Int, Int64
from torch import Tensor

from fastweights.errors import UserError, check_choice
from fastweights.tasks.text_pieces import Pieces
from fastweights.tasks.text_words import Record, Words

KINDS = (Words.kind, Pieces.kind)


@runtime_checkable
class Tokenizer(Protocol):
    """What turns text into tokens and back; a line's end is the token <eos>.

    Attributes:
        kind: one of `KINDS`.
        vocabulary: what each token stands for, as it is written in the vocabulary.
        end: the token <eos>.
        unknown: the token <unk>; None where every text can be encoded.
    """

    @property
    def kind(self) -> str: ...
    @property
    def vocabulary(self) -> tuple[str, ...]: ...
    @property
    def end(self) -> int: ...
    @property
    def unknown(self) -> int | None: ...
    def encode(self, text: str) -> Int64[Tensor, " tokens"]: ...
    def decode(self, tokens: Int[Tensor, " tokens"] | Sequence[int]) -> str: ...
    def record(self) -> Record: ...


def learn(kind: str, text: str, vocabulary_size: int | None = None) -> Tokenizer:
    """Build a tokenizer from the text to learn from.

    Args:
        kind: "words" or "bpe", whose tokens are frequent pieces of words (needs the extra `text`).
        text: the train part.
        vocabulary_size: tokens at most; None: of words all, of pieces 8192.

    Raises:
        UserError: for another kind, a size that is too small, or if a library is missing.
    """
    check_choice("tokenizer", kind, KINDS)
    return (Words if kind == Words.kind else Pieces).learn(text, vocabulary_size)


def from_record(record: Mapping[str, object]) -> Tokenizer:
    """Rebuild a tokenizer from what its `record()` gave, without any text.

    Raises:
        UserError: if it is no such record, or a library is missing.

    Example:
        >>> words = Words.learn("a b\\n")
        >>> from_record(words.record()).vocabulary == words.vocabulary
        True
    """
    kind = record.get("kind")
    check_choice("tokenizer", kind, KINDS)
    names = ("vocabulary",) if kind == Words.kind else ("vocabulary", "merges")
    parts: dict[str, list[str]] = {}
    for name in names:
        listed = record.get(name)
        if not isinstance(listed, list | tuple) or not all(
            isinstance(entry, str) for entry in listed
        ):
            raise UserError(f"the record of the tokenizer has no list of words as its {name}")
        parts[name] = list(listed)
    return Words(**parts) if kind == Words.kind else Pieces(**parts)
