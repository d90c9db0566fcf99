"""Language modelling: one long text, cut into rows, read epoch by epoch in pieces whose lengths vary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int64
from torch import Tensor, nn

from fastweights import state as states
from fastweights.errors import UserError
from fastweights.training.engine import distributed
from fastweights.training.sources import carried, pieces
from fastweights.training.sources.linear_loss import next_word_loss
from fastweights.training.sources.objectives import with_objectives
from fastweights.training.sources.text_loss import evaluate_words, fitting, perplexity, rows_of


@runtime_checkable
class Corpus(Protocol):
    """A text divided for good, as numbers."""

    @property
    def classes(self) -> int:
        """How many words there are in the vocabulary."""
        ...

    def split(self, name: str) -> Int64[Tensor, " tokens"]:
        """Give the text of "train", "valid" or "test"."""
        ...


class Words:
    """A text as a `Source`: what comes next, at every word.

    The text is cut into `batch` rows that are read side by side, from its beginning and the zero state in every epoch;
    the state after a piece is the next one's start. How long each piece is follows from (seed, epoch) alone
    (`training.pieces`). Every token but the first of a row is predicted once in an epoch; the program of Merity et al.
    2018 and Schlag et al. 2021 leaves the last one out where it would stand alone.

    Attributes:
        rate_factor: the length of the piece last taken ÷ `length`, by which the engine multiplies the learning rate.

    Args:
        task: for example `fastweights.tasks.Text`.
        batch: rows; each of several processes has its share of them. What is left over at the text's end falls away.
        length: nominal steps of a piece, over which gradients flow.
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
        sizes = {"batch": batch, "length": length, "validation_rows": validation_rows}
        for name, size in sizes.items():
            if size < 1:
                raise UserError(f"{name} must be at least 1, not {size}")
        self.task, self.length, self.vary, self.seed = task, length, vary, seed
        self.auxiliary = auxiliary
        own = distributed.share(batch)
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
        """Give the step after which each epoch ends, exactly, without taking one."""
        ends, total = [], 0
        for epoch in range(epochs):
            total += len(self._cut(epoch))
            ends.append(total)
        return tuple(ends)

    def next_loss(self, model: nn.Module) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Take the next piece of every row: its mean cross-entropy, and what layers add of their own."""
        if self._piece == len(self._lengths):
            self._begin(self._epoch + 1)
        taken = int(self._lengths[self._piece])
        piece = self.rows[:, self._place : self._place + taken + 1]
        loss, state = next_word_loss(model, piece, self._start_of(model))
        # Autocast layers may leave a state of fewer bits than the model carries from piece to piece.
        self.carried = states.to(states.detach(state), next(model.parameters()).dtype)
        self._place, self._piece = self._place + taken, self._piece + 1
        self.rate_factor = taken / self.length
        metrics = {"cross_entropy": loss.detach()}
        return with_objectives(model, loss, metrics, self.auxiliary), metrics

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measure the model on the validation text."""
        found = evaluate_words(model, self.task.split("valid"), rows=self.validation_rows)[1.0]
        return {"validation_cross_entropy": found, "validation_perplexity": perplexity(found)}

    def probe(self, model: nn.Module) -> dict[str, float]:
        """Nothing: a text has no probe batch."""
        return {}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Give the place in the text and the carried state."""
        tensors = carried.named(tuple(self._restored) or self.carried)
        return distributed.gather_rows(tensors), {"epoch": self._epoch, "piece": self._piece}

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Go back to that place."""
        self._begin(meta["epoch"])
        self._piece = meta["piece"]
        self._place = int(self._lengths[: self._piece].sum())
        self._restored = carried.found(distributed.own_rows(tensors))

    def _begin(self, epoch: int) -> None:
        """Go to the beginning of the text."""
        self._epoch, self._piece, self._place = epoch, 0, 0
        self._lengths = self._cut(epoch)
        self.carried: Any = None
        self._restored: list[Tensor] = []

    def _cut(self, epoch: int) -> Any:
        steps = self.rows.shape[1] - 1
        return pieces.cut(steps, self.length, vary=self.vary, seed=self.seed, epoch=epoch)

    def _start_of(self, model: nn.Module) -> Any:
        """The state to go on from; after a restore, put together in the form the model has it."""
        if self._restored:
            self.carried = carried.rebuilt(self._restored, model, len(self.rows))
            self._restored = []
        return self.carried
