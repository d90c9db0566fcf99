"""A passage of a text as a model reads it: the surprise at each word, and what the memory was read for it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from fastweights.models import SequenceModel
from fastweights.tasks.text_tokenizer import Tokenizer

LENGTH = 80
"""Tokens of a passage that is taken from a text."""
BEFORE = 200
"""Tokens that are read before it, where there are as many."""
RARE = 0.2
"""The share of a text that the rarest words make up."""


class Passage(NamedTuple):
    """Tokens in their order.

    Attributes:
        tokens: with what is read before the passage.
        start: the place of the passage's first word among them.
    """

    tokens: Int64[Tensor, " tokens"]
    start: int


class Reading(NamedTuple):
    """A passage as a model reads it.

    Attributes:
        bits: the surprise at each word; NaN at one that nothing is read before.
        read_weights: [words, reads, words], how much the reads before each word took from what was written at each
            word; None for a model that does not attend.
    """

    bits: Float[Tensor, " words"]
    read_weights: Float[Tensor, "words reads words"] | None


def most_recurring(
    tokens: Int64[Tensor, " tokens"],
    counts: Int64[Tensor, " classes"],
    tokenizer: Tokenizer,
    length: int = LENGTH,
) -> Passage:
    """Choose the passage in which most rare words are said more than once: names, which a memory might keep.

    The text alone decides, whatever a model makes of it. A passage begins a line that is not empty, and behind words
    enough to be read before it, if the text has such a place; of equals, the first is taken.

    Args:
        tokens: the text.
        counts: how often each word occurs in the text that was learned from.
        tokenizer: its <eos> and <unk> are no rare words.
        length: words of the passage; where the text is shorter, all of it.

    Example:
        >>> from fastweights.tasks.text_words import Words
        >>> words = Words(["<eos>", "a", "b"])
        >>> most_recurring(torch.tensor([1, 1, 0, 2, 2, 0]), torch.tensor([9, 9, 0]), words, 3).start
        3
    """
    length = min(length, len(tokens))
    rarest = counts.argsort(stable=True)
    rare = torch.zeros(len(counts), dtype=torch.bool)
    rare[rarest[counts[rarest].cumsum(0) <= RARE * counts.sum()]] = True
    rare[_marks(tokenizer)] = False
    # Within a passage, a word that is said k times has k - 1 places that follow another of its own, and k - 2 that
    # follow two: their difference is 1 wherever a word returns, however often.
    held = _holding(tokens, rare, 1, length) - _holding(tokens, rare, 2, length)
    ends = tokens == tokenizer.end
    begins = ends.roll(1)[: len(held)] & ~ends[: len(held)]
    begins[0] = True
    far = begins.clone()
    far[:BEFORE] = False
    start = int(held.masked_fill(~(far if far.any() else begins), -1).argmax())
    first = max(0, start - BEFORE)
    return Passage(tokens[first : start + length], start - first)


def _holding(
    tokens: Int64[Tensor, " tokens"], rare: Bool[Tensor, " classes"], apart: int, length: int
) -> Int64[Tensor, " starts"]:
    """Count, for each place where a passage may begin, the rare words in it with the same word `apart` times before."""
    order = tokens.argsort(stable=True)  # equal words are neighbours, each in the order of the text
    later, earlier = order[apart:], order[: len(order) - apart]
    held = (tokens[later] == tokens[earlier]) & rare[tokens[later]] & (later - earlier < length)
    later, earlier = later[held], earlier[held]
    # A passage holds both if it begins at the earlier one at the latest and reaches as far as the later one.
    change = torch.zeros(len(tokens) + 1, dtype=torch.long)
    change.index_add_(0, (later - length + 1).clamp(min=0), torch.ones_like(later))
    change.index_add_(0, earlier + 1, -torch.ones_like(earlier))
    return change.cumsum(0)[: len(tokens) - length + 1]


@torch.no_grad()
def read(model: SequenceModel, passage: Passage) -> Reading:
    """Read a passage, and what stands before it, from the zero state."""
    trace = model.trace(passage.tokens[None, :-1], memory_steps=())
    chances = trace.output[0].double().log_softmax(-1)
    own = chances.gather(1, passage.tokens[1:, None]).squeeze(1)
    bits = torch.cat([own.new_full((1,), math.nan), -own / math.log(2)])[passage.start :]
    weights = trace.read_weights
    if weights is None:
        return Reading(bits, None)
    # The step that reads a word predicts the next one.
    shifted = torch.nn.functional.pad(weights[0], (0, 1, 0, 0, 1, 0))
    return Reading(bits, shifted[passage.start :, :, passage.start :])


def remembered(
    words: Int64[Tensor, " words"], bits: Float[Tensor, " words"], tokenizer: Tokenizer
) -> tuple[int, int] | None:
    """Choose the word of a passage at whose return the surprise is furthest below that at its first place.

    Returns:
        both places; None where no word returns but <eos> and <unk>.

    Example:
        >>> from fastweights.tasks.text_words import Words
        >>> bits = torch.tensor([9.0, 14.0, 8.0, 3.0])
        >>> remembered(torch.tensor([1, 2, 1, 2]), bits, Words(["<eos>", "a", "b"]))
        (1, 3)
    """
    marks = _marks(tokenizer)
    surprises = bits.tolist()
    first: dict[int, int] = {}
    returns: list[tuple[int, int]] = []
    for place, word in enumerate(words.tolist()):
        if word in first:
            returns.append((first[word], place))
        elif word not in marks and not math.isnan(surprises[place]):
            first[word] = place
    fall = {pair: surprises[pair[0]] - surprises[pair[1]] for pair in returns}
    return max(returns, key=fall.__getitem__) if returns else None


def spelled(passage: Passage, tokenizer: Tokenizer) -> list[str]:
    """Return the passage's words as they are written; a space that is one by itself is "␣"."""
    words = []
    for token in passage.tokens[passage.start :].tolist():
        written = tokenizer.decode([token])
        seen = written.strip() or written.replace(" ", "␣").strip()
        words.append(seen or tokenizer.vocabulary[token])
    return words


def _marks(tokenizer: Tokenizer) -> list[int]:
    """The tokens that are no words."""
    return [token for token in (tokenizer.end, tokenizer.unknown) if token is not None]
