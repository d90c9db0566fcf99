"""What stands between spaces as tokens: the papers' words, and what every tokenizer shares."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import torch
from jaxtyping import Int, Int64
from torch import Tensor

from fastweights.errors import UserError
from fastweights.io.showing import shown
from fastweights.tasks.checks import list_tokens

EOS, UNKNOWN = "<eos>", "<unk>"
Record = dict[str, str | list[str]]
"""A tokenizer in plain values: its `kind`, its `vocabulary`, and `merges` of pieces."""

_BLOCK = 1 << 20
"""Characters of a text that are taken apart at a time: whatever its length, few words are objects at once."""
_SPACE = re.compile(r"\s")


class Words:
    """Words are what stands between spaces, and every line ends in <eos>, as in the papers' programs.

    Args:
        vocabulary: different words in the order of their tokens, <eos> among them; any other word stands as <unk>, if
            that is there.

    Attributes:
        vocabulary, end, unknown: as of every `Tokenizer`.

    Raises:
        UserError: if a word is there twice, or <eos> is not.

    Example:
        >>> words = Words(["<unk>", "<eos>", "the", "cat", "sat"])
        >>> words.encode("the cat\\nthe dog").tolist()
        [2, 3, 1, 2, 0]
        >>> words.decode([2, 3, 1, 2, 0])
        'the cat\\nthe <unk>'
    """

    kind = "words"

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.vocabulary = tuple(vocabulary)
        self._index = _Index(zip(self.vocabulary, range(len(self.vocabulary)), strict=True))
        if len(self._index) != len(self.vocabulary):
            raise UserError("a vocabulary has each word once")
        if EOS not in self._index:
            raise UserError(f"a vocabulary has {EOS}, the end of a line")
        self.end = self._index[EOS]
        self.unknown = self._index.unknown = self._index.get(UNKNOWN)

    def __repr__(self) -> str:
        return f"Words({len(self.vocabulary)} words)"

    @classmethod
    def learn(cls, text: str, vocabulary_size: int | None = None) -> Words:
        """Collect the vocabulary of a text, in the order in which its words first occur.

        Args:
            text: to learn from.
            vocabulary_size: how many words to keep at most, the most frequent (of equal ones, those that come first);
                <eos> and <unk> are always kept, and come last where the text has none. None: all.

        Raises:
            UserError: for a size below 3.
        """
        if vocabulary_size is not None and vocabulary_size < 3:
            least = f"{UNKNOWN}, {EOS} and a word make 3"
            raise UserError(f"a vocabulary of {vocabulary_size} words is too small: {least}")
        counts: Counter[str] = Counter()
        for block in blocks(text, _SPACE):
            counts.update(_words(block))
        always = {EOS, UNKNOWN}
        kept = [*counts, *sorted(always - counts.keys())]
        if vocabulary_size is not None and vocabulary_size < len(kept):
            frequent = [word for word, _ in counts.most_common() if word not in always]
            chosen = {*always, *frequent[: vocabulary_size - len(always)]}
            kept = [word for word in kept if word in chosen]
        return cls(kept)

    def encode(self, text: str) -> Int64[Tensor, " tokens"]:
        """Encode text as tokens; an unfinished last line has no <eos>.

        Raises:
            UserError: naming a word outside the vocabulary, if that has no <unk>.
        """
        parts = [np.empty(0, np.int64)]
        for block in blocks(text, _SPACE):
            words = _words(block)
            parts.append(np.fromiter(map(self._index.__getitem__, words), np.int64, len(words)))
        return torch.from_numpy(np.concatenate(parts))

    def decode(self, tokens: Int[Tensor, " tokens"] | Sequence[int]) -> str:
        """Decode tokens to words with spaces between them, and <eos> into line breaks.

        Raises:
            UserError: for a number outside the vocabulary.
        """
        numbers = list_tokens(tokens, len(self.vocabulary))
        text = " ".join("\n" if n == self.end else self.vocabulary[n] for n in numbers)
        return re.sub(" ?\n ?", "\n", text)

    def record(self) -> Record:
        """Return plain values for `text_tokenizer.from_record`."""
        return {"kind": self.kind, "vocabulary": list(self.vocabulary)}


class _Index(dict[str, int]):
    """Tokens of words; of a word that is not there, <unk>'s."""

    unknown: int | None = None

    def __missing__(self, word: str) -> int:
        if self.unknown is None:
            raise UserError(f"{word!r} is not one of the {len(self)} known words")
        return self.unknown


def blocks(text: str, border: re.Pattern[str]) -> Iterator[str]:
    """Split a text, behind borders, into pieces of about a million characters, and show how far it is."""
    start = 0
    several = len(text) > _BLOCK
    with shown("text", "characters", len(text)) if several else nullcontext() as on_progress:
        while start < len(text):
            found = border.search(text, start + _BLOCK)
            end = found.end() if found else len(text)
            yield text[start:end]
            start = end
            if on_progress is not None:
                on_progress(start)


def count_words(text: str) -> int:
    """Count words, with one <eos> for each line.

    Example:
        >>> count_words("the cat\\nsat\\n")
        5
    """
    return sum(len(block.split()) for block in blocks(text, _SPACE)) + text.count("\n")


def _words(block: str) -> list[str]:
    return block.replace("\n", f" {EOS} ").split()
