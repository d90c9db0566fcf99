"""Measuring a model on examples of a classification task."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.training.sources.batches import Task
from fastweights.training.sources.source import Reading


def evaluate(model: nn.Module, task: Task, examples: Any, batch: int = 2000) -> dict[str, Reading]:
    """Score a model on examples, in evaluation mode; it is left in the mode it was in.

    Args:
        model: called as `model(inputs, last_only=True, need_state=False)`, on whatever device it
            is.
        task: its `inputs` are what the model reads, its `metrics` score the logits.
        examples: what the task gave.
        batch: examples at once.

    Returns:
        the task's metrics as numbers and lists of numbers.
    """
    return {
        name: _number(value)
        for name, value in task.metrics(answers(model, task, examples, batch), examples).items()
    }


@torch.no_grad()
def answers(
    model: nn.Module, task: Task, examples: Any, batch: int = 2000
) -> Float[Tensor, "count classes"]:
    """Give a model's logits for examples, on the CPU; see `evaluate`."""
    training = model.training
    device = next(model.parameters()).device
    model.eval()
    try:
        parts = [
            type(examples)(*(field.to(device) for field in fields))
            for fields in zip(*(field.split(batch) for field in examples), strict=True)
        ]
        logits = [
            model(task.inputs(part), last_only=True, need_state=False)[0].cpu() for part in parts
        ]
    finally:
        model.train(training)
    return torch.cat(logits)


def _number(value: Any) -> Reading:
    return value.tolist() if isinstance(value, Tensor) else value
