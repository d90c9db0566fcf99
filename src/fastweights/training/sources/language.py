"""Language modelling: one long text, cut into rows, read epoch by epoch in segments whose lengths vary."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fastweights import state as states
from fastweights.errors import UserError, check_at_least
from fastweights.tasks.score import perplexity
from fastweights.training.engine import distributed
from fastweights.training.engine.source import BatchSource
from fastweights.training.sources.auxiliary import add_auxiliary_loss
from fastweights.training.sources.carried import Carried
from fastweights.training.sources.linear_loss import next_word_loss
from fastweights.training.sources.segment_lengths import segment_lengths
from fastweights.training.sources.text_loss import evaluate_words, fitting, rows_of


@runtime_checkable
class Corpus(Protocol):
    """A text divided for good, as numbers."""

    @property
    def classes(self) -> int:
        """How many words there are in the vocabulary."""
        ...

    def split(self, name: str) -> Int64[Tensor, " tokens"]:
        """Return the text of "train", "valid" or "test"."""
        ...


class Words(Carried, BatchSource):
    """A text as a `Source`: what comes next, at every word.

    The text is cut into `batch` rows that are read side by side, from its beginning and the zero state in every epoch;
    the state after a segment is the next one's start. How long each segment is follows from (seed, epoch) alone
    (`segment_lengths`). Every token but the first of a row is predicted once in an epoch; the program of Merity et al.
    2018 and Schlag et al. 2021 leaves the last one out where it would stand alone.

    Attributes:
        rate_factor: the length of the segment last taken ÷ `length`, by which the engine multiplies the learning rate.

    Args:
        task: for example `fastweights.tasks.Text`.
        batch: rows; each of several processes has its share of them. What is left over at the text's end falls away.
        length: nominal steps of a segment, over which gradients flow.
        vary: draw the lengths around the nominal one; else all are the same.
        seed: of the lengths.
        device: where the text goes; the model's.
        validation_rows: rows into which the validation text is cut; fewer where it is too short.
        auxiliary: weight of the loss that layers have of their own (`auxiliary_loss`).

    Raises:
        UserError: on a number below 1, a batch that cannot be shared out, or a text too short for the rows.
    """

    def __init__(
        self,
        task: Corpus,
        *,
        batch: int = 20,
        length: int = 70,
        vary: bool = True,
        seed: int = 0,
        device: str = "cpu",
        validation_rows: int = 10,
        auxiliary: float = 1.0,
    ) -> None:
        check_at_least(1, batch=batch, length=length, validation_rows=validation_rows)
        self.task, self.length, self.vary, self.seed = task, length, vary, seed
        self.auxiliary = auxiliary
        own = distributed.share(batch)
        super().__init__(batch=len(own))
        self.rows = rows_of(task.split("train"), batch)[own.start : own.stop].to(device)
        for name in ("valid", "test"):  # refused now, not after an epoch
            if len(task.split(name)) < 2:
                raise UserError(
                    f"the {name} part of the text has {len(task.split(name))} tokens, too few to predict any:"
                    " give a longer text, or three"
                )
        self.validation_rows = fitting(len(task.split("valid")), validation_rows)
        self.rate_factor = 1.0
        self._begin(epoch=0)

    def steps(self, epochs: int) -> tuple[int, ...]:
        """Return the step after which each epoch ends, exactly, without taking one."""
        return tuple(accumulate(len(self._segment_lengths(epoch)) for epoch in range(epochs)))

    def next_batch(self, model: nn.Module) -> tuple[Int64[Tensor, "rows words"], object]:
        """Return the next segment of every row, and the state that it begins with."""
        if self._segment == len(self._lengths):
            self._begin(self._epoch + 1)
        taken = int(self._lengths[self._segment])
        words = self.rows[:, self._place : self._place + taken + 1]
        self._place, self._segment = self._place + taken, self._segment + 1
        self.rate_factor = taken / self.length
        return words, self.start_state(model)

    def loss(
        self, model: nn.Module, batch: tuple[Int64[Tensor, "rows words"], object]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor], object]:
        """Compute the mean cross-entropy of a segment, and what layers add of their own."""
        loss, state = next_word_loss(model, *batch)
        # A module of torch's may leave a state of fewer bits under autocast than it carries from segment to segment.
        own = next(model.parameters()).dtype
        state = states.map_tensors(lambda part: _at_least(part, own), state)
        metrics = {"cross_entropy": loss.detach()}
        return add_auxiliary_loss(model, loss, metrics, self.auxiliary), metrics, state

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measure the model on the validation text."""
        found = evaluate_words(model, self.task.split("valid"), rows=self.validation_rows)[1.0]
        return {"validation_cross_entropy": found, "validation_perplexity": perplexity(found)}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the place in the text and the carried state."""
        place = {"epoch": self._epoch, "segment": self._segment}
        return distributed.gather_rows(self.carried_tensors()), place

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        self._begin(meta["epoch"])
        self._segment = meta["segment"]
        self._place = int(self._lengths[: self._segment].sum())
        self.restore_carried(distributed.own_rows(tensors))

    def _begin(self, epoch: int) -> None:
        """Go to the beginning of the text."""
        self._epoch, self._segment, self._place = epoch, 0, 0
        self._lengths = self._segment_lengths(epoch)
        self.reset()

    def _segment_lengths(self, epoch: int) -> Int64[np.ndarray, " segments"]:
        steps = self.rows.shape[1] - 1
        return segment_lengths(steps, self.length, vary=self.vary, seed=self.seed, epoch=epoch)


def _at_least(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a floating-point tensor in a type that holds its numbers and those of another type."""
    if not tensor.is_floating_point():
        return tensor
    return tensor.to(torch.promote_types(tensor.dtype, dtype))
