"""Frequent pieces of words as tokens: byte-level BPE, by which any text can be encoded and no word is unknown."""

from __future__ import annotations

import importlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int, Int64
from torch import Tensor

from fastweights.errors import UserError
from fastweights.tasks.checks import list_tokens
from fastweights.tasks.text_words import EOS, Record, blocks

if TYPE_CHECKING:
    import tokenizers

DEFAULT_SIZE = 8192
LEAST_SIZE = 257
"""Every byte, and <eos>."""

_LINE_END = re.compile("\n")


class Pieces:
    """Byte-pair encoding of the bytes of a line; every line ends in <eos>, and decoding gives back the very text.

    Args:
        vocabulary: different pieces in the order of their tokens, every byte and <eos> among them; bytes are written as
            the letters of GPT-2's program.
        merges: "left right", the pairs of pieces that are joined; those that were learnt first come first.

    Attributes:
        vocabulary, end, unknown: as of every `Tokenizer`.
        library: the `tokenizers.Tokenizer` that does the work.

    Raises:
        UserError: if these make no tokenizer, or the library is missing.

    Source: Sennrich et al. 2016; of bytes, as in Radford et al. 2019.
    """

    kind = "bpe"
    unknown = None

    def __init__(self, vocabulary: Sequence[str], merges: Sequence[str]) -> None:
        self.vocabulary, self._merges = tuple(vocabulary), tuple(merges)
        index = {piece: token for token, piece in enumerate(self.vocabulary)}
        if len(index) != len(self.vocabulary):
            raise UserError("a vocabulary has each piece once")
        if not index.keys() >= {EOS, *_library().pre_tokenizers.ByteLevel.alphabet()}:
            raise UserError(f"a vocabulary of pieces has every byte, and {EOS}")
        pairs: list[tuple[str, str]] = []
        for merge in self._merges:
            left, _, right = merge.partition(" ")
            if not {left, right, left + right} <= index.keys():
                raise UserError(f"{merge!r} joins no two pieces of the vocabulary to a third")
            pairs.append((left, right))
        self.end = index[EOS]
        self.library = _over_bytes(vocab=index, merges=pairs)
        # A line feed becomes <eos> before special tokens are looked for.
        self.library.normalizer = _library().normalizers.Replace("\n", EOS)
        self.library.add_special_tokens([_library().AddedToken(EOS, normalized=True)])

    def __repr__(self) -> str:
        return f"Pieces({len(self.vocabulary)} pieces)"

    @classmethod
    def learn(cls, text: str, vocabulary_size: int | None = None) -> Pieces:
        """Join the most frequent pair of neighbouring pieces, again and again, starting from bytes.

        Args:
            text: to learn from.
            vocabulary_size: pieces at most; fewer where no pair is left that occurs twice. None: 8192.

        Raises:
            UserError: for a size below 257, or if the library is missing.
        """
        size = DEFAULT_SIZE if vocabulary_size is None else vocabulary_size
        if size < LEAST_SIZE:
            least = f"every byte and {EOS} make {LEAST_SIZE}"
            raise UserError(f"a vocabulary of {size} pieces is too small: {least}")
        library = _over_bytes()
        trainer = _library().trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            special_tokens=[EOS],
            initial_alphabet=_library().pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        lines = (line for block in blocks(text, _LINE_END) for line in _lines(block))
        library.train_from_iterator((line.removesuffix("\n") for line in lines), trainer)
        learnt = json.loads(library.to_str())["model"]
        vocabulary = sorted(learnt["vocab"], key=learnt["vocab"].__getitem__)
        return cls(vocabulary, [" ".join(pair) for pair in learnt["merges"]])

    def encode(self, text: str) -> Int64[Tensor, " tokens"]:
        """Encode text as tokens; an unfinished last line has no <eos>."""
        parts = [np.empty(0, np.int64)]
        for block in blocks(text, _LINE_END):
            lines = self.library.encode_batch_fast(list(_lines(block)), add_special_tokens=False)
            parts.extend(np.array(line.ids, np.int64) for line in lines)
        return torch.from_numpy(np.concatenate(parts))

    def decode(self, tokens: Int[Tensor, " tokens"] | Sequence[int]) -> str:
        """Decode tokens to text, and <eos> to line breaks; bytes that make no letter become U+FFFD.

        Raises:
            UserError: for a number outside the vocabulary.
        """
        lines: list[list[int]] = [[]]
        for number in list_tokens(tokens, len(self.vocabulary)):
            if number == self.end:
                lines.append([])
            else:
                lines[-1].append(number)
        return "\n".join(self.library.decode_batch(lines))

    def record(self) -> Record:
        """Return plain values for `text_tokenizer.from_record`."""
        merges = list(self._merges)
        return {"kind": self.kind, "vocabulary": list(self.vocabulary), "merges": merges}


def _library() -> ModuleType:
    """Import `tokenizers`, which is an extra."""
    try:
        return importlib.import_module("tokenizers")
    except ImportError:
        raise UserError(
            'tokens that are pieces of words need tokenizers: pip install "fastweights[text]"'
        ) from None


def _over_bytes(**model: object) -> tokenizers.Tokenizer:
    """Build a byte-pair encoder of the library that adds and takes away nothing."""
    library = _library()
    made = library.Tokenizer(library.models.BPE(**model))
    made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = library.decoders.ByteLevel()
    return made


def _lines(text: str) -> Iterator[str]:
    """Lines with their line feeds, one by one; nothing else ends a line."""
    return iter(io.StringIO(text, newline="\n"))
