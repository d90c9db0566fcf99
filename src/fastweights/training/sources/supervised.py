"""Classification of whole sequences: the label is asked for at the last step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.errors import check_at_least
from fastweights.state import map_tensors
from fastweights.training.engine import probe, seeds
from fastweights.training.engine.source import Reading
from fastweights.training.sources.auxiliary import add_auxiliary_loss
from fastweights.training.sources.batches import (
    Batches,
    Divided,
    E,
    Sampled,
    Stage,
    Task,
    epochs,
    first,
    fresh,
)
from fastweights.training.sources.evaluate import evaluate


class Supervised(Generic[E]):
    """A classification task as a `Source`: fresh examples, or a fixed set in shuffled epochs.

    Training, validation and probe examples come from generators of their own, all derived from one
    seed. A task that is divided into splits is trained on its own train split, in epochs, and
    evaluated on its validation split.

    Args:
        task: a task, or the stages (step, task) of a curriculum; the last one's task is evaluated.
        batch: examples in a training batch.
        seed: of all examples.
        fixed: draw the training set once and go over it in epochs; else draw fresh examples for ever.
        train_size: examples in a fixed training set; None: 100,000, or the whole train split.
        validation_size: examples in the evaluation set; None: 10,000 if `fixed`, else 2,000, or the
            whole validation split.
        probe_size: examples in the probe batch for the gradient norms; 0 leaves them out.
        device: where the batches go; the model's.
        auxiliary: weight of the loss that layers have of their own (`auxiliary_loss`).

    Raises:
        UserError: on a size that cannot be, or stages out of order.
    """

    def __init__(
        self,
        task: Divided[E] | Sampled[E] | Sequence[tuple[int, Sampled[E]]],
        *,
        batch: int = 128,
        seed: int = 0,
        fixed: bool = False,
        train_size: int | None = None,
        validation_size: int | None = None,
        probe_size: int = 32,
        device: str = "cpu",
        auxiliary: float = 1.0,
    ) -> None:
        check_at_least(1, batch=batch, train_size=train_size, validation_size=validation_size)
        check_at_least(0, probe_size=probe_size)
        generators = {
            purpose: seeds.generator(seed, purpose)
            for purpose in ("training set", "training", "validation", "probe")
        }
        if isinstance(task, Divided):
            self.task: Task[E] = task
            draw = epochs(first(task.split("train"), train_size), batch)
            self.validation = first(task.split("valid"), validation_size)
            order = torch.randperm(len(self.validation.answer), generator=generators["probe"])
            probed = map_tensors(lambda field: field[order[:probe_size]], self.validation)
        else:
            stages = [Stage(*s) for s in task] if isinstance(task, Sequence) else [Stage(0, task)]
            draw = fresh(stages, batch)
            self.task = last = stages[-1].task
            if fixed:
                draw = epochs(last.sample(train_size or 100_000, generators["training set"]), batch)
            size = validation_size or (10_000 if fixed else 2_000)
            self.validation = last.sample(size, generators["validation"])
            probed = last.sample(probe_size, generators["probe"])
        self.auxiliary = auxiliary
        self.batches = Batches(draw, batch, generators["training"], device)
        self._probe = None
        if probe_size:
            probed = map_tensors(lambda field: field.to(device), probed)
            self._probe = self.task.inputs(probed), probed.answer

    def next_loss(self, model: nn.Module) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Compute the next batch's mean cross-entropy with what layers add of their own, and its accuracy."""
        examples = next(self.batches)
        logits, _ = model(self.task.inputs(examples), last_only=True, need_state=False)
        loss = F.cross_entropy(logits, examples.answer)
        accuracy = (logits.detach().argmax(1) == examples.answer).float().mean()
        metrics = {"accuracy": accuracy}
        return add_auxiliary_loss(model, loss, metrics, self.auxiliary), metrics

    def evaluate(self, model: nn.Module) -> dict[str, Reading]:
        """Score the model on the validation set."""
        return evaluate(model, self.task, self.validation)

    def probe(self, model: nn.Module) -> dict[str, float]:
        """Compute the norms of fast and slow gradients; empty for a model without fast weights."""
        if self._probe is None or not isinstance(model, probe.Stepped):
            return {}
        return probe.gradient_norms(model, *self._probe)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the place in the stream of batches."""
        return self.batches.state()

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Go back to that place."""
        self.batches.restore(tensors, meta)
