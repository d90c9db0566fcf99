"""Measuring a model on examples of a classification task."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.nn.parts.mode import evaluating
from fastweights.state import map_tensors
from fastweights.training.engine.source import Reading
from fastweights.training.sources.batches import E, Task


def evaluate(model: nn.Module, task: Task[E], examples: E, batch: int = 2000) -> dict[str, Reading]:
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
    model: nn.Module, task: Task[E], examples: E, batch: int = 2000
) -> Float[Tensor, "count classes"]:
    """Compute a model's logits for examples, on the CPU; see `evaluate`."""
    device = next(model.parameters()).device
    logits = []
    with evaluating(model):
        for start in range(0, len(examples.answer), batch):
            rows = slice(start, start + batch)
            part = map_tensors(lambda field, rows=rows: field[rows].to(device), examples)
            output, _ = model(task.inputs(part), last_only=True, need_state=False)
            logits.append(output.cpu())
    return torch.cat(logits)
