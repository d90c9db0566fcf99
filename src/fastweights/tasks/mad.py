"""MAD: six small tests of what a layer can do, and what they are drawn by."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fastweights.errors import UserError, check_choice
from fastweights.tasks.checks import check_int
from fastweights.tasks.mad_recall import fuzzy_recall, recall
from fastweights.tasks.sequences import Sequences, SequenceTask

NOISE_SYMBOLS, NOISE = 16, 0.2
"""Of noisy recall: symbols that are noise alone, and the probability that a pair is noise."""

MOTIF = 3
"""Of fuzzy recall: the most symbols of a key and of a value."""

COPIED = 16
"""Symbols of selective copying."""

FACTS_SEED = 12345
"""Of the facts of memorisation: those of the test are those of training."""


class Kind(NamedTuple):
    """The baseline of one of the six tests.

    Attributes:
        vocabulary, length: as published; the length is that of a sequence with its last answer.
        samples: sequences to learn from, in epochs.
        least: the smallest vocabulary and length.
    """

    vocabulary: int
    length: int
    samples: int
    least: tuple[int, int]


KINDS = {
    "in-context-recall": Kind(16, 128, 12_800, (4, 4)),
    "fuzzy-recall": Kind(16, 128, 12_800, (7, 24)),
    "noisy-recall": Kind(32, 128, 12_800, (NOISE_SYMBOLS + 4, 4)),
    "selective-copying": Kind(16, 256, 12_800, (3, 2 * COPIED + 2)),
    "compression": Kind(16, 32, 12_800, (2, 2)),
    "memorisation": Kind(256, 32, 256, (3, 2)),
}
"""By name."""


class MAD(SequenceTask):
    """`a 7 b 2 a → 7` and five more: recall, fuzzy and noisy, copying, compression, memorisation (Poli et al. 2024).

    - `in-context-recall`: keys with values behind them, at random; wherever a key comes again its value is asked for.
    - `fuzzy-recall`: keys and values are of one to three symbols each, without separators; in a test all keys of three.
    - `noisy-recall`: every fifth pair is noise, of symbols of its own.
    - `selective-copying`: 16 symbols with blanks before any of them, to be said again after a marker.
    - `compression`: random symbols, of all of which the output at one last symbol has to tell. A model answers with
      `classes` numbers there, some for each place.
    - `memorisation`: keys whose values were never shown: they are the same in all sequences, and learned.

    In training the recall tasks ask for the next symbol at every step, what cannot be known included, as published.

    Args:
        kind: which of the six.
        length: of a sequence with its last answer; None: the published baseline's.
        vocabulary: symbols, those of noise and the special ones included; None: the published baseline's.

    Attributes:
        samples: sequences that the published baseline is trained on, in epochs.

    Raises:
        UserError: for an unknown kind, or numbers out of range.

    Source: Poli et al., "Mechanistic Design and Scaling of Hybrid Architectures", ICML 2024.

    Example:
        >>> task = MAD("in-context-recall")
        >>> tokens, answer, asked = task.sample(8, torch.Generator().manual_seed(0))
        >>> tokens.shape, bool(asked[:, -1].all()), task.chance
        (torch.Size([8, 127]), True, 0.125)
    """

    def __init__(
        self,
        kind: str = "in-context-recall",
        *,
        length: int | None = None,
        vocabulary: int | None = None,
    ) -> None:
        check_choice("kind", kind, KINDS)
        baseline = KINDS[kind]
        self.kind, self.samples = kind, baseline.samples
        self.length = baseline.length if length is None else length
        self.vocabulary = baseline.vocabulary if vocabulary is None else vocabulary
        check_int(f"vocabulary of {kind}", self.vocabulary, baseline.least[0])
        check_int(f"length of {kind}", self.length, baseline.least[1])
        if self.length % 2 and kind in ("in-context-recall", "noisy-recall", "memorisation"):
            raise UserError(f"length of {kind} must be even, not {self.length}")
        self.classes = self.vocabulary * (self.length - 1 if kind == "compression" else 1)

    def __repr__(self) -> str:
        return f"MAD({self.kind!r}, length={self.length}, vocabulary={self.vocabulary})"

    def sample(
        self, count: int, generator: torch.Generator, *, training: bool = False
    ) -> Sequences:
        check_int("the number of sequences", count, 0)
        return DRAWN[self.kind](self, count, generator, training)

    def places(self, batch: Sequences) -> Bool[Tensor, "count time"]:
        """Mark the steps that the answers are about: of compression all but the last, at which they are asked for."""
        return ~batch.asked if self.kind == "compression" else batch.asked

    def _answers(
        self, outputs: Float[Tensor, "asked classes"], batch: Sequences
    ) -> Float[Tensor, "answers _"]:
        return super()._answers(outputs, batch).reshape(-1, self.vocabulary)

    @property
    def symbols(self) -> int:
        """Return how many symbols stand for something: neither noise nor special."""
        special = {"fuzzy-recall": 1, "noisy-recall": NOISE_SYMBOLS, "selective-copying": 2}
        return self.vocabulary - special.get(
            self.kind, self.kind in ("compression", "memorisation")
        )

    @property
    def chance(self) -> float:
        """Best accuracy of a model that knows the present symbol alone.

        Of fuzzy recall the symbols of a value are distinct, and half of those asked for are its first: behind any
        other the present one is out of the question.
        """
        values = self.symbols - self.symbols // 2
        match self.kind:
            case "selective-copying" | "compression":
                return 1 / self.symbols
            case "memorisation":
                return 1 / (self.symbols // 2)
            case "fuzzy-recall":
                return (1 / values + 1 / (values - 1)) / 2
        return 1 / values

    @functools.cached_property
    def facts(self) -> Int[Tensor, " keys"]:
        """Return the value of each key of memorisation, the same for all sequences."""
        keys = self.symbols // 2
        order = torch.randperm(
            self.symbols - keys, generator=torch.Generator().manual_seed(FACTS_SEED), device="cpu"
        )
        return keys + order[:keys]


def _recall(task: MAD, count: int, generator: torch.Generator, training: bool) -> Sequences:
    noise = (NOISE_SYMBOLS, NOISE) if task.kind == "noisy-recall" else (0, 0.0)
    return recall(count, task.length // 2, task.symbols, noise, generator, training)


def _fuzzy(task: MAD, count: int, generator: torch.Generator, training: bool) -> Sequences:
    return fuzzy_recall(count, task.length, task.symbols, MOTIF, generator, training)


def _copying(task: MAD, count: int, generator: torch.Generator, training: bool) -> Sequences:
    """Draw what is copied; each blank stands before one of the symbols, any of them as likely."""
    blank, marker = task.vocabulary - 2, task.vocabulary - 1
    before, device = task.length - COPIED - 1, generator.device
    symbols = torch.randint(blank, (count, COPIED), generator=generator, device=device)
    follower = torch.randint(COPIED, (count, before - COPIED), generator=generator, device=device)
    blanks = torch.zeros(count, COPIED, dtype=torch.long, device=device)
    blanks.scatter_add_(1, follower, torch.ones_like(follower))
    places = blanks.cumsum(1) + torch.arange(COPIED, device=device)
    tokens = torch.full((count, task.length), blank, device=device)
    tokens.scatter_(1, places, symbols)
    tokens[:, before] = marker
    answer, asked = torch.zeros_like(tokens), torch.zeros_like(tokens, dtype=torch.bool)
    answer[:, before + 1 :], asked[:, before + 1 :] = symbols, True
    return Sequences(tokens, answer, asked)


def _compression(task: MAD, count: int, generator: torch.Generator, training: bool) -> Sequences:
    shape, device = (count, task.length), generator.device
    tokens = torch.randint(task.symbols, shape, generator=generator, device=device)
    tokens[:, -1] = task.vocabulary - 1
    return Sequences(tokens, tokens, tokens == task.vocabulary - 1)


def _memorisation(task: MAD, count: int, generator: torch.Generator, training: bool) -> Sequences:
    shape, device = (count, task.length // 2), generator.device
    keys = torch.randint(task.symbols // 2, shape, generator=generator, device=device)
    tokens = torch.full((count, task.length), task.vocabulary - 1, device=device)
    tokens[:, ::2] = keys
    answer = torch.zeros_like(tokens)
    answer[:, 1::2] = task.facts.to(device)[keys]
    return Sequences(tokens, answer, tokens == task.vocabulary - 1)


DRAWN: dict[str, Callable[[MAD, int, torch.Generator, bool], Sequences]] = {
    "in-context-recall": _recall,
    "fuzzy-recall": _fuzzy,
    "noisy-recall": _recall,
    "selective-copying": _copying,
    "compression": _compression,
    "memorisation": _memorisation,
}
"""What draws the sequences of each."""
