"""What the tests of sequence models share: symbols in, answers at some of the steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from fastweights.errors import UserError


class Sequences(NamedTuple):
    """Sequences, and what is asked for at some of their steps.

    Attributes:
        tokens: [count, time], symbols; or vectors [count, time, features].
        answer: [count, time], the right class or number of each step; of use where it is asked for.
        asked: [count, time], True where an answer is asked for; at least once in every row.
    """

    tokens: Num[Tensor, "count time *features"]
    answer: Num[Tensor, "count time"]
    asked: Bool[Tensor, "count time"]


class SequenceTask(ABC):
    """A task on sequences that it samples; answers are asked for at some of their steps.

    Attributes:
        measure: what answers are scored by, "accuracy" (0 to 1) or "squared_error".
        vocabulary: how many symbols there are; 0: a step shows a vector of `features` numbers.
        classes: outputs of a model at a step where it is asked.
        length: of the sequences that are sampled.
        chance: the score of the best answers that depend on no step but the present one.
        best_possible: the score of the best answers there are.
    """

    measure: ClassVar[Literal["accuracy", "squared_error"]] = "accuracy"
    vocabulary: int
    features: int | None = None
    classes: int
    length: int
    best_possible: float = 1.0

    @abstractmethod
    def sample(
        self, count: int, generator: torch.Generator, *, training: bool = False
    ) -> Sequences:
        """Draw sequences, all at once; the same state of the generator gives the same ones.

        Args:
            count: how many.
            generator: what is drawn from.
            training: whether a model is to learn from them, where a task asks otherwise then.

        Raises:
            UserError: for a negative count.
        """

    @property
    @abstractmethod
    def chance(self) -> float: ...

    def chance_from(self, step: int) -> float:
        """Return the chance of the answers from a step on, where it depends on the step."""
        return self.chance

    def inputs(self, batch: Sequences) -> Num[Tensor, "count time *features"]:
        """Return what a model reads."""
        return batch.tokens

    def places(self, batch: Sequences) -> Bool[Tensor, "count time"]:
        """Mark the steps that the answers are about, row by row: those where they are asked for."""
        return batch.asked

    def losses(
        self, outputs: Float[Tensor, "asked classes"], batch: Sequences
    ) -> Float[Tensor, " answers"]:
        """Compute the cross-entropy of each answer, in nats; or its squared error.

        Args:
            outputs: of a model where `batch.asked`, row by row.
            batch: which was read.

        Raises:
            UserError: for outputs of another shape.
        """
        return F.cross_entropy(self._answers(outputs, batch), self._right(batch), reduction="none")

    def scores(
        self, outputs: Float[Tensor, "asked classes"], batch: Sequences
    ) -> Float[Tensor, " answers"]:
        """Score each answer by `measure`: 1 where the likeliest class is the right one.

        Raises:
            UserError: for outputs of another shape.
        """
        return (self._answers(outputs, batch).argmax(1) == self._right(batch)).double()

    def _right(self, batch: Sequences) -> Num[Tensor, " answers"]:
        return batch.answer[self.places(batch)]

    def _answers(
        self, outputs: Float[Tensor, "asked classes"], batch: Sequences
    ) -> Float[Tensor, "answers _"]:
        """Return the outputs answer by answer: an output of several answers is as many rows."""
        asked = int(batch.asked.sum())
        if not asked:
            raise UserError("there are no answers to score")
        if outputs.shape != (asked, self.classes):
            raise UserError(
                f"outputs of {asked} answers have shape [{asked}, {self.classes}], not {list(outputs.shape)}"
            )
        return outputs


def score_by_step(
    scores: Float[Tensor, " answers"], places: Bool[Tensor, "count time"]
) -> list[float | None]:
    """Return the mean score of each step over the rows that are asked there; None where none is.

    Example:
        >>> asked = torch.tensor([[False, True, True], [False, False, True]])
        >>> score_by_step(torch.tensor([1.0, 0.0, 1.0]), asked)
        [None, 1.0, 0.5]
    """
    steps = torch.zeros(places.shape, dtype=torch.float64)
    steps[places.cpu()] = scores.double().cpu()
    counts = places.sum(0).tolist()
    sums = steps.sum(0).tolist()
    return [total / count if count else None for total, count in zip(sums, counts, strict=True)]


def mean_score(by_step: list[float | None], counts: Int[Tensor, " time"], first: int = 0) -> float:
    """Return the mean over all answers from a step on.

    Args:
        by_step: the mean of each step.
        counts: answers at each step.
        first: the step, from 0.

    Example:
        >>> mean_score([0.0, None, 1.0], torch.tensor([1, 0, 3]))
        0.75
    """
    pairs = list(zip(by_step, counts.tolist(), strict=True))[first:]
    return sum(score * count for score, count in pairs if score is not None) / sum(
        count for score, count in pairs if score is not None
    )
