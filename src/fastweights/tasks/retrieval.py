"""Associative retrieval: key-value pairs, then a key; the answer is its value."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fastweights.errors import UserError, check_choice
from fastweights.tasks import ceilings, symbols
from fastweights.tasks.checks import check_int
from fastweights.tasks.draws import distinct
from fastweights.tasks.score import classification_metrics
from fastweights.tasks.symbols import DIGITS, ENDINGS, LETTERS, QUESTION, SYMBOLS


class Batch(NamedTuple):
    """Sequences with their answers.

    Attributes:
        tokens: [count, length], indices into the 37 symbols a-z, 0-9, ?.
        answer: [count], the digit asked for, 0 to 9.
        slot: [count], which pair was asked for; 0 is the oldest.
    """

    tokens: Int[Tensor, "count length"]
    answer: Int[Tensor, " count"]
    slot: Int[Tensor, " count"]


class Retrieval:
    """`c9k8j3f1??c → 9`: after n letter-digit pairs and `??` comes one of the letters; its digit is the answer.

    Keys are n of the 26 letters in random order, digits are drawn independently, and every pair is asked for equally
    often.

    Args:
        pairs: n, 1 to 26.
        form: "paper" asks at the key (length 2n + 3); "trailing-read" adds a last `?` after it and asks there
            (2n + 4).
        repeat_keys: draw the letters with repetition. The pair asked for is still drawn uniformly and its digit is
            the answer, so where its letter stands in several pairs it is open which is meant; `best_possible`
            says what that costs.

    Attributes:
        vocabulary: 37 symbols.
        length: symbols in a sequence.
        classes: 10 digits.

    Raises:
        UserError: for pairs out of range or an unknown form.

    Source: Ba et al. 2016, section 4.1.

    Example:
        >>> task = Retrieval(4)
        >>> task.decode(task.encode("c9k8j3f1??c"))
        'c9k8j3f1??c'
        >>> task.sample(128, torch.Generator().manual_seed(0)).tokens.shape
        torch.Size([128, 11])
        >>> round(task.no_binding_ceiling, 4), task.best_possible
        (0.3835, 1.0)
    """

    vocabulary = len(SYMBOLS)
    classes = len(DIGITS)

    def __init__(self, pairs: int = 4, *, form: str = "paper", repeat_keys: bool = False) -> None:
        if not 1 <= pairs <= len(LETTERS):
            raise UserError(
                f"pairs must be 1 to {len(LETTERS)} (there are 26 letters), not {pairs}"
            )
        check_choice("form", form, ENDINGS)
        self.pairs, self.form, self.repeat_keys = pairs, form, repeat_keys
        self.length = 2 * pairs + len(ENDINGS[form])

    def __repr__(self) -> str:
        return f"Retrieval({self.pairs}, form={self.form!r}, repeat_keys={self.repeat_keys})"

    def sample(self, count: int, generator: torch.Generator) -> Batch:
        """Draw sequences, all at once and on the CPU; the same state of the generator gives the same ones.

        Raises:
            UserError: for a negative count.
        """
        check_int("the number of sequences", count, 0)
        shape, device = (count, self.pairs), generator.device
        if self.repeat_keys:
            keys = torch.randint(len(LETTERS), shape, generator=generator, device=device)
        else:
            keys = distinct(count, self.pairs, len(LETTERS), generator)
        values = torch.randint(len(DIGITS), shape, generator=generator, device=device)
        slot = torch.randint(self.pairs, (count,), generator=generator, device=device)
        tokens = torch.full((count, self.length), QUESTION, device=device)
        tokens[:, 0 : 2 * self.pairs : 2] = keys
        tokens[:, 1 : 2 * self.pairs : 2] = values + len(LETTERS)
        tokens[:, 2 * self.pairs + 2] = keys.gather(1, slot[:, None])[:, 0]
        return Batch(tokens, values.gather(1, slot[:, None])[:, 0], slot)

    def inputs(self, batch: Batch) -> Int[Tensor, "count length"]:
        """Return what a model reads: the tokens."""
        return batch.tokens

    def metrics(
        self, logits: Float[Tensor, "count classes"], batch: Batch
    ) -> dict[str, float | list[float]]:
        """Score logits, in the order of the batch.

        Returns:
            `accuracy`, 0 to 1; `cross_entropy` in nats; `per_slot_accuracy` by the pair asked for, oldest first (0
            for one that the batch never asks for).

        Raises:
            UserError: if there are no sequences, or the logits are not theirs.
        """
        counts = {"classes": self.classes, "groups": self.pairs}
        return classification_metrics(
            logits, batch.answer, "slot", batch.slot, kind="sequences", **counts
        )

    def encode(self, sequence: str) -> Int[Tensor, " length"]:
        """Encode a typed sequence as tokens; the number of its pairs is its own, 1 to 26.

        Raises:
            UserError: naming the first thing that is wrong with it.
        """
        return symbols.encode(sequence, self.form)

    def decode(self, tokens: Int[Tensor, " length"]) -> str:
        """Decode tokens to the typed sequence."""
        return symbols.decode(tokens)

    @property
    def no_binding_ceiling(self) -> float:
        """Best accuracy of a model that knows which digits occurred but not which belongs to which key."""
        return float(ceilings.no_binding(self.pairs))

    @property
    def best_possible(self) -> float:
        """Best accuracy of any model; below 1 only where a repeated key may mean several digits."""
        return float(ceilings.best_with_repeats(self.pairs)) if self.repeat_keys else 1.0
