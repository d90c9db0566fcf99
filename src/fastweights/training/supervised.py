"""Classification of whole sequences: the label is asked for at the last step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.errors import UserError
from fastweights.training import probe, seeds
from fastweights.training.batches import Batches, Stage, Task, epochs, fresh
from fastweights.training.evaluate import evaluate
from fastweights.training.source import Reading


class Supervised:
    """A classification task as a `Source`: fresh examples, or a fixed set in shuffled epochs.

    Training, validation and probe examples come from generators of their own, all derived from one
    seed.

    Args:
        task: a task, or the stages (step, task) of a curriculum; the last one's task is evaluated.
        batch: examples in a training batch.
        seed: of all examples.
        fixed: draw the training set once and go over it in epochs; else draw fresh examples for ever.
        train_size: examples in a fixed training set.
        validation_size: examples in the evaluation set; None: 10,000 if `fixed`, else 2,000.
        probe_size: examples in the probe batch for the gradient norms; 0 leaves them out.
        device: where the batches go; the model's.

    Raises:
        UserError: on a size that cannot be, or stages out of order.
    """

    def __init__(
        self,
        task: Task | Sequence[tuple[int, Task]],
        *,
        batch: int = 128,
        seed: int = 0,
        fixed: bool = False,
        train_size: int = 100_000,
        validation_size: int | None = None,
        probe_size: int = 32,
        device: str = "cpu",
    ) -> None:
        size = (10_000 if fixed else 2_000) if validation_size is None else validation_size
        for name, given, least in (
            ("batch", batch, 1),
            ("train_size", train_size, 1),
            ("validation_size", size, 1),
            ("probe_size", probe_size, 0),
        ):
            if given < least:
                raise UserError(f"{name} must be at least {least}, not {given}")
        stages = [Stage(*s) for s in task] if isinstance(task, Sequence) else [Stage(0, task)]
        draw = fresh(stages, batch)
        self.task = stages[-1].task
        if fixed:
            examples = self.task.sample(train_size, seeds.generator(seed, "training set"))
            draw = epochs(examples, batch)
        self.batches = Batches(draw, batch, seeds.generator(seed, "training"), device)
        self.validation = self.task.sample(size, seeds.generator(seed, "validation"))
        self._probe = None
        if probe_size:
            examples = self.task.sample(probe_size, seeds.generator(seed, "probe"))
            self._probe = examples.tokens.to(device), examples.answer.to(device)

    def next_loss(self, model: nn.Module) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Take the next batch: its mean cross-entropy and its accuracy."""
        examples = next(self.batches)
        logits, _ = model(examples.tokens, last_only=True, need_state=False)
        loss = F.cross_entropy(logits, examples.answer)
        accuracy = (logits.detach().argmax(1) == examples.answer).float().mean()
        return loss, {"accuracy": accuracy}

    def evaluate(self, model: nn.Module) -> dict[str, Reading]:
        """Score the model on the validation set."""
        return evaluate(model, self.task, self.validation)

    def probe(self, model: nn.Module) -> dict[str, float]:
        """Take the norms of fast and slow gradients; empty for a model without fast weights."""
        if self._probe is None or not hasattr(model, "initial_state"):
            return {}
        return probe.gradient_norms(model, *self._probe)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Give the place in the stream of batches."""
        return self.batches.state()

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Go back to that place."""
        self.batches.restore(tensors, meta)
