"""Measuring a model on examples of a classification task."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fastweights.training.batches import Task
from fastweights.training.source import Reading


@torch.no_grad()
def evaluate(model: nn.Module, task: Task, examples: Any, batch: int = 2000) -> dict[str, Reading]:
    """Score a model on examples, in evaluation mode; it is left in the mode it was in.

    Args:
        model: called as `model(tokens, last_only=True, need_state=False)`, on whatever device it
            is.
        task: its `metrics` score the logits.
        examples: what `task.sample` gave.
        batch: examples at once.

    Returns:
        the task's metrics as numbers and lists of numbers.
    """
    training = model.training
    device = next(model.parameters()).device
    model.eval()
    try:
        logits = [
            model(tokens.to(device), last_only=True, need_state=False)[0].cpu()
            for tokens in examples.tokens.split(batch)
        ]
    finally:
        model.train(training)
    return {
        name: _number(value) for name, value in task.metrics(torch.cat(logits), examples).items()
    }


def _number(value: Any) -> Reading:
    return value.tolist() if isinstance(value, Tensor) else value
