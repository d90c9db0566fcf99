"""Selective copying: symbols scattered among blanks are to be said again, in order, without the blanks."""

from __future__ import annotations

import torch

from fastweights.tasks.checks import check_int
from fastweights.tasks.sequences import Sequences, SequenceTask


class SelectiveCopying(SequenceTask):
    """`. b . . a d . | | | → b a d`: symbols at random places among blanks, to be said again when the markers come.

    Args:
        copied: symbols to copy, each drawn independently of the others; at least 1.
        length: symbols in a sequence, the markers included; at least 2 · copied.
        vocabulary: symbols, the blank and the marker included; at least 3.

    Raises:
        UserError: for numbers out of range.

    Source: Gu & Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", COLM 2024, section 4.1.1 (16
    symbols in 4,096).

    Example:
        >>> task = SelectiveCopying(copied=3, length=10, vocabulary=6)
        >>> tokens, answer, asked = task.sample(1, torch.Generator().manual_seed(0))
        >>> said = tokens[0, :7]
        >>> torch.equal(said[said < 4], answer[asked]), tokens[0, 7:].tolist(), task.chance
        (True, [5, 5, 5], 0.25)
    """

    def __init__(self, copied: int = 16, *, length: int = 256, vocabulary: int = 16) -> None:
        check_int("copied", copied, 1)
        check_int("length", length, 2 * copied)
        check_int("vocabulary", vocabulary, 3)
        self.copied, self.length, self.vocabulary = copied, length, vocabulary
        self.classes = vocabulary

    def __repr__(self) -> str:
        return (
            f"SelectiveCopying({self.copied}, length={self.length}, vocabulary={self.vocabulary})"
        )

    def sample(
        self, count: int, generator: torch.Generator, *, training: bool = False
    ) -> Sequences:
        check_int("the number of sequences", count, 0)
        blank, marker = self.vocabulary - 2, self.vocabulary - 1
        before, device = self.length - self.copied, generator.device
        symbols = torch.randint(blank, (count, self.copied), generator=generator, device=device)
        noise = torch.rand(count, before, generator=generator, device=device)
        places = noise.topk(self.copied, dim=1).indices.sort(1).values
        tokens = torch.full((count, self.length), blank, device=device)
        tokens.scatter_(1, places, symbols)
        tokens[:, before:] = marker
        answer = torch.zeros_like(tokens)
        answer[:, before:] = symbols
        return Sequences(tokens, answer, tokens == marker)

    @property
    def chance(self) -> float:
        return 1 / (self.vocabulary - 2)
