"""A text to be read word by word: Penn Treebank, WikiText-2, or files of a user's own."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Int64
from torch import Tensor

from fastweights.data import text as texts
from fastweights.data.text import SPLITS, Texts
from fastweights.errors import UserError, check_choice
from fastweights.io.cache import expanded
from fastweights.tasks import text_tokenizer
from fastweights.tasks.text_words import UNKNOWN, count_words


class Text:
    """`… the cat sat <eos> it slept <eos> …`: a text as one sequence of tokens, each predicted from those before it.

    Args:
        data: ("ptb",) or ("wikitext-2",); or one text file, whose lines are cut into 90 % to learn from, then 5 % to
            choose settings by and 5 % to report; or three files, one for each of these.
        data_dir: where a published text lies, as `data.text.find` takes it; files are named by their own paths.
        tokenizer: "words", what stands between spaces, as in the papers; or "bpe", frequent pieces of words.
        vocabulary_size: tokens at most; None: every word of the train part, or 8192 pieces.

    Attributes:
        tokenizer: what turns text into tokens and back (`text_tokenizer.Tokenizer`), made from the train part alone.
        vocabulary: what each token stands for; words in the order in which they first occur.
        classes: tokens of the vocabulary.
        end: the token <eos>, which ends every line.
        unknown: the token <unk>, for words outside the vocabulary; None where no word is.
        counts: tokens of each split.
        words: words of each split, with one <eos> for each line, whatever the tokens are: bits per word are per these.

    Raises:
        UserError: if a text cannot be found or used, or for an option out of range.

    Source: Mikolov et al. 2010 (Penn Treebank), Merity et al. 2017 (WikiText-2); Schlag et al. 2021, section 4.3.
    """

    name = "text"

    def __init__(
        self,
        data: str | Sequence[str] = ("ptb",),
        data_dir: str | Path | None = None,
        *,
        tokenizer: str = "words",
        vocabulary_size: int | None = None,
    ) -> None:
        self._data = _named((data,) if isinstance(data, str) else tuple(data))
        self._vocabulary_size = vocabulary_size
        read = _read(self._data, data_dir)
        self.words = {s: count_words(t) for s, t in zip(SPLITS, read, strict=True)}
        _check(read, self._data)
        self.tokenizer = text_tokenizer.learn(tokenizer, read.train, vocabulary_size)
        self.vocabulary, self.classes = self.tokenizer.vocabulary, len(self.tokenizer.vocabulary)
        self.end, self.unknown = self.tokenizer.end, self.tokenizer.unknown
        self._splits = {s: self.tokenizer.encode(t) for s, t in zip(SPLITS, read, strict=True)}
        self.counts = {split: len(tokens) for split, tokens in self._splits.items()}

    def __repr__(self) -> str:
        options = {name: value for name, value in self.options.items() if value is not None}
        return f"Text({', '.join(f'{name}={value!r}' for name, value in options.items())})"

    @property
    def options(self) -> dict[str, object]:
        """The options, as plain values that `tasks.build` takes; where a published text lies is not one of them."""
        return {
            "data": list(self._data),
            "tokenizer": self.tokenizer.kind,
            "vocabulary_size": self._vocabulary_size,
        }

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of the vocabulary and of all tokens in their order."""
        digest = hashlib.sha256("\n".join(self.vocabulary).encode())
        for tokens in self._splits.values():
            digest.update(tokens.numpy().astype("<i4").tobytes())
        return digest.hexdigest()[:16]

    @property
    def notes(self) -> list[str]:
        """Return what a record of results must say about the data."""
        if self._data[0] in texts.CORPORA and self._vocabulary_size is None:
            return []
        share = ", ".join(f"{name} {count:,}" for name, count in self.words.items())
        notes = [f"words: {share}"]
        if self.unknown is not None:
            away = float((self._splits["test"] == self.unknown).double().mean())
            notes.append(f"{away:.1%} of the test words stand as {UNKNOWN}")
        return notes

    def split(self, name: str) -> Int64[Tensor, " tokens"]:
        """Return the tokens of "train", "valid" or "test" in their order, in memory that is not to be written to.

        Raises:
            UserError: for another name.
        """
        check_choice("split", name, SPLITS)
        return self._splits[name]


def _named(data: tuple[str, ...]) -> tuple[str, ...]:
    """The names of published texts as they are, and paths such that they hold from any folder."""
    if len(data) not in (1, len(SPLITS)):
        known = ", ".join(texts.CORPORA)
        raise UserError(
            f"a text is one of {known}, one file, or three files, not {len(data)} names"
        )
    if data[0] in texts.CORPORA and len(data) == 1:
        return data
    return tuple(str(expanded(path).absolute()) for path in data)


def _read(data: tuple[str, ...], data_dir: str | Path | None) -> Texts:
    if data[0] in texts.CORPORA:
        return texts.read(data[0], texts.find(data[0], data_dir))
    if len(data) == 1:
        return texts.cut(texts.read_file(data[0]))
    return Texts(*map(texts.read_file, data))


def _check(read: Texts, data: tuple[str, ...]) -> None:
    """Raise `UserError` unless there is something to learn from, and something to be asked in each split."""
    name = data[0] if len(data) == 1 else "the text"
    for split, text in zip(SPLITS, read, strict=True):
        if not text.strip():
            raise UserError(f"{name} has no words for {split}: its lines there are empty")
    first = read.train.split(maxsplit=1)
    if len(first) == 1:
        raise UserError(
            f"there is nothing to learn from the one word {first[0]!r}; a text to learn from has two or more"
        )
