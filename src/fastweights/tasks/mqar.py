"""Multi-query associative recall: pairs of keys and values, then all of the keys, among other symbols."""

from __future__ import annotations

import torch

from fastweights.errors import UserError
from fastweights.tasks.checks import check_int
from fastweights.tasks.draws import distinct, weighted
from fastweights.tasks.sequences import Sequences, SequenceTask

POWER = 0.01
"""Exponent a of the gaps before a question: its i-th place has the weight i^(a - 1), as published."""


class MQAR(SequenceTask):
    """`a 7 b 2 x b x x a x → 2, 7`: pairs of keys and values, then every key again, at a place of its own.

    The first 2n symbols are the n pairs. Behind them each key stands once more, at an even distance, sooner rather
    than later (by a power law), and its value is asked for there; all other places hold symbols of any kind. Keys
    are distinct symbols of the lower half of the vocabulary but for the first, values distinct ones of the upper half.

    Args:
        pairs: n, at least 1.
        length: symbols in a sequence, even, at least 4n.
        vocabulary: symbols, even, with n keys and n values at least; the paper's is 8,192.

    Attributes:
        no_binding_ceiling: best accuracy of a model that knows which values occurred, but not under which keys.
        chance: best accuracy of a model that knows neither.

    Raises:
        UserError: for numbers out of range.

    Source: Arora et al., "Zoology: Measuring and Improving Recall in Efficient Language Models", ICLR 2024.

    Example:
        >>> task = MQAR(pairs=4, length=16, vocabulary=64)
        >>> tokens, answer, asked = task.sample(128, torch.Generator().manual_seed(0))
        >>> tokens.shape, asked.sum(1).unique().tolist()
        (torch.Size([128, 16]), [4])
        >>> task.no_binding_ceiling, task.chance
        (0.25, 0.03125)
    """

    def __init__(self, pairs: int = 4, *, length: int = 64, vocabulary: int = 8192) -> None:
        check_int("pairs", pairs, 1)
        check_int("length", length, 4 * pairs)
        check_int("vocabulary", vocabulary, 2 * pairs + 2)
        for name, number in {"length": length, "vocabulary": vocabulary}.items():
            if number % 2:
                raise UserError(f"{name} must be even, not {number}")
        self.pairs, self.length, self.vocabulary = pairs, length, vocabulary
        self.classes = vocabulary

    def __repr__(self) -> str:
        return f"MQAR({self.pairs}, length={self.length}, vocabulary={self.vocabulary})"

    def sample(
        self, count: int, generator: torch.Generator, *, training: bool = False
    ) -> Sequences:
        check_int("the number of sequences", count, 0)
        half, written, device = self.vocabulary // 2, 2 * self.pairs, generator.device
        keys = 1 + distinct(count, self.pairs, half - 1, generator)
        values = half + distinct(count, self.pairs, half, generator)
        shape = (count, self.length)
        tokens = torch.randint(self.vocabulary, shape, generator=generator, device=device)
        tokens[:, 0:written:2], tokens[:, 1:written:2] = keys, values
        space = torch.arange(1, (self.length - written) // 2 + 1, dtype=torch.float64)
        places = written + 2 * weighted(count, self.pairs, space ** (POWER - 1), generator)
        tokens.scatter_(1, places, keys)
        answer = torch.zeros_like(tokens).scatter_(1, places, values)
        asked = torch.zeros_like(tokens, dtype=torch.bool).scatter_(1, places, True)
        return Sequences(tokens, answer, asked)

    @property
    def chance(self) -> float:
        return 2 / self.vocabulary

    @property
    def no_binding_ceiling(self) -> float:
        return 1 / self.pairs
