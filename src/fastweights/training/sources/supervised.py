"""Classification of whole sequences: the label is asked for at the last step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fastweights import state as states
from fastweights.errors import check_at_least
from fastweights.nn.parts.mode import evaluating
from fastweights.training.engine import probe, seeds
from fastweights.training.engine.source import BatchSource, Reading
from fastweights.training.sources import batches
from fastweights.training.sources.auxiliary import add_auxiliary_loss
from fastweights.training.sources.batches import Divided, E, Sampled, Stage


class Supervised(BatchSource, Generic[E]):
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
            self.task: batches.Task[E] = task
            draw = batches.epochs(batches.first(task.split("train"), train_size), batch)
            self.validation = batches.first(task.split("valid"), validation_size)
            count, generator = len(self.validation.answer), generators["probe"]
            order = torch.randperm(count, generator=generator, device="cpu")
            probed = states.select(self.validation, order[:probe_size])
        else:
            stages = [Stage(*s) for s in task] if isinstance(task, Sequence) else [Stage(0, task)]
            draw = batches.fresh(stages, batch)
            self.task = last = stages[-1].task
            if fixed:
                examples = last.sample(train_size or 100_000, generators["training set"])
                draw = batches.epochs(examples, batch)
            size = validation_size or (10_000 if fixed else 2_000)
            self.validation = last.sample(size, generators["validation"])
            probed = last.sample(probe_size, generators["probe"])
        self.auxiliary = auxiliary
        self.batches = batches.Batches(draw, batch, generators["training"], device)
        self._probe = None
        if probe_size:
            probed = states.to(probed, device)
            self._probe = self.task.inputs(probed), probed.answer

    def next_batch(self, model: nn.Module) -> E:
        """Return the next examples."""
        return next(self.batches)

    def loss(
        self, model: nn.Module, batch: E
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor], object]:
        """Compute examples' mean cross-entropy with what layers add of their own, and its accuracy."""
        logits, _ = model(self.task.inputs(batch), last_only=True, need_state=False)
        loss = F.cross_entropy(logits, batch.answer)
        accuracy = (logits.detach().argmax(1) == batch.answer).float().mean()
        metrics = {"accuracy": accuracy}
        return add_auxiliary_loss(model, loss, metrics, self.auxiliary), metrics, None

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
        self.batches.restore(tensors, meta)


def evaluate(
    model: nn.Module, task: batches.Task[E], examples: E, batch: int = 2000
) -> dict[str, Reading]:
    """Score a model on examples, in evaluation mode; every module is left in the mode it was in.

    Args:
        model: called as `model(inputs, last_only=True, need_state=False)`, on whatever device it
            is.
        task: its `inputs` are what the model reads, its `metrics` score the logits.
        examples: of the task.
        batch: examples at once.

    Returns:
        the task's metrics as numbers and lists of numbers.
    """
    found = task.metrics(answers(model, task, examples, batch), examples)
    return {
        name: value.tolist() if isinstance(value, Tensor) else value
        for name, value in found.items()
    }


@torch.no_grad()
def answers(
    model: nn.Module,
    task: batches.Task[E],
    examples: E,
    batch: int = 2000,
    on_progress: Callable[[int], object] = lambda done: None,
) -> Float[Tensor, "count classes"]:
    """Compute a model's logits for examples, on the CPU, and say after each batch how many are done."""
    device = next(model.parameters()).device
    logits = []
    with evaluating(model):
        for start in range(0, len(examples.answer), batch):
            part = states.map_tensors(itemgetter(slice(start, start + batch)), examples)
            output, _ = model(
                task.inputs(states.to(part, device)), last_only=True, need_state=False
            )
            logits.append(output.cpu())
            on_progress(min(start + batch, len(examples.answer)))
    return torch.cat(logits)
