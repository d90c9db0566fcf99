"""Sequences with answers at some of their steps, as a source of batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights import state as states
from fastweights.errors import check_at_least
from fastweights.nn.parts.mode import evaluating
from fastweights.tasks.sequences import Sequences, SequenceTask
from fastweights.training.engine import seeds
from fastweights.training.engine.source import Reading
from fastweights.training.sources import batches
from fastweights.training.sources.auxiliary import add_auxiliary_loss


class Scored(NamedTuple):
    """The answers of a model, row by row.

    Attributes:
        scores: by the task's measure.
        losses: cross-entropy in nats, or squared error.
    """

    scores: Float[Tensor, " answers"]
    losses: Float[Tensor, " answers"]


class Answers:
    """A task with answers at some steps as a `Source`: fresh sequences, or a fixed set in shuffled epochs.

    Sequences to train on and to evaluate with come from generators of their own, all derived from one seed.

    Args:
        task: what is sampled and how it is scored.
        batch: sequences in a training batch.
        seed: of all sequences.
        train_samples: sequences of a fixed training set; None: fresh ones for ever.
        validation_samples: sequences of the evaluation set.
        device: where the batches go; the model's.
        auxiliary: weight of the loss that layers have of their own.

    Raises:
        UserError: on a size that cannot be.

    Example:
        >>> from fastweights import models, tasks
        >>> task = tasks.StateTracking("parity", length=8)
        >>> model = models.from_config(models.model_config("lstm", input=2, hidden=4, classes=2))
        >>> source = Answers(task, batch=4, validation_samples=10)
        >>> loss, metrics = source.next_loss(model)
        >>> sorted(metrics), sorted(source.evaluate(model))
        (['accuracy'], ['accuracy', 'cross_entropy'])
    """

    def __init__(
        self,
        task: SequenceTask,
        *,
        batch: int = 64,
        seed: int = 0,
        train_samples: int | None = None,
        validation_samples: int = 500,
        device: str = "cpu",
        auxiliary: float = 1.0,
    ) -> None:
        check_at_least(
            1, batch=batch, train_samples=train_samples, validation_samples=validation_samples
        )
        self.task, self.auxiliary = task, auxiliary
        draw = batches.epochs(self._set(seed, train_samples), batch) if train_samples else None
        self.validation = task.sample(validation_samples, seeds.generator(seed, "validation"))
        self.batches = batches.Batches(
            draw or self._fresh(batch), batch, seeds.generator(seed, "training"), device
        )

    def _set(self, seed: int, count: int) -> Sequences:
        return self.task.sample(count, seeds.generator(seed, "training set"), training=True)

    def _fresh(self, size: int) -> Callable[[int, torch.Generator], Sequences]:
        count = batches.BATCHES_PER_BLOCK * size
        return lambda _step, generator: self.task.sample(count, generator, training=True)

    def next_loss(self, model: nn.Module) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Compute the next batch's mean loss with what layers add of their own, and its mean score.

        In training every sequence of a task has as many answers, so that processes have equal shares.
        """
        batch = next(self.batches)
        outputs, _ = model(self.task.inputs(batch), at=batch.asked, need_state=False)
        loss = self.task.losses(outputs, batch).mean()
        metrics = {self.task.measure: self.task.scores(outputs.detach(), batch).mean()}
        return add_auxiliary_loss(model, loss, metrics, self.auxiliary), metrics

    def evaluate(self, model: nn.Module) -> dict[str, Reading]:
        """Score the model on the evaluation set."""
        found = score(model, self.task, self.validation)
        losses = "cross_entropy" if self.task.measure == "accuracy" else self.task.measure
        return {self.task.measure: float(found.scores.mean()), losses: float(found.losses.mean())}

    def probe(self, model: nn.Module) -> dict[str, float]:
        """Return nothing: gradient norms are probed where the last step alone is asked for."""
        return {}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the place in the stream of batches."""
        return self.batches.state()

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        self.batches.restore(tensors, meta)


@torch.no_grad()
def score(
    model: nn.Module,
    task: SequenceTask,
    sequences: Sequences,
    rows: int = 100,
    on_progress: Callable[[int], object] = lambda done: None,
) -> Scored:
    """Score a model's answers in evaluation mode, some rows at a time; every module is left in the mode it was in.

    Args:
        model: called as `model(inputs, at=…, need_state=False)`, on whatever device it is.
        task: what the sequences are of.
        sequences: what is read.
        rows: sequences at once.
        on_progress: called after each, with how many are done.

    Returns:
        scores and losses of all answers, on the CPU, in the order of `task.places(sequences)`.
    """
    device = next(model.parameters()).device
    found: list[Scored] = []
    count = len(sequences.asked)
    with evaluating(model):
        for start in range(0, count, rows):
            part = states.map_tensors(itemgetter(slice(start, start + rows)), sequences)
            part = states.to(part, device)
            outputs, _ = model(task.inputs(part), at=part.asked, need_state=False)
            outputs = outputs.float()
            found.append(Scored(task.scores(outputs, part).cpu(), task.losses(outputs, part).cpu()))
            on_progress(min(start + rows, count))
    return Scored(*(torch.cat(parts) for parts in zip(*found, strict=True)))
