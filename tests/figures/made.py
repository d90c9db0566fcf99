"""Traces with known numbers, and metrics as the engine writes them."""

import math

import torch

from fastweights.nn.backbone import Trace

SYMBOLS = "a1b2??a"


def make_trace(
    symbols: str = SYMBOLS, *, hidden: int = 6, batch: int = 2, signed: bool = False, seed: int = 0
) -> Trace:
    """A random trace of Ba et al.'s shapes; its memory is symmetric and its attention causal."""
    generator = torch.Generator().manual_seed(seed)
    steps = len(symbols)
    h = torch.randn(batch, steps, hidden, generator=generator)
    h = h if signed else h.abs()
    weights = torch.randn(batch, steps, 2, steps, generator=generator)
    weights = torch.tril(weights.transpose(1, 2), -1).transpose(1, 2)
    memory = torch.einsum("bti,btj->btij", h, h).cumsum(1)
    return Trace(
        output=h,
        hidden=h,
        read_weights=weights if signed else weights.abs(),
        memory=memory,
        memory_steps=tuple(range(steps)),
        state=None,
    )


def make_rows(scale: float = 1.0, steps: int = 5) -> list[dict]:
    """Metrics of a run with fast weights; the first row precedes any training step."""
    rows = []
    for index in range(steps):
        loss = scale * 2.3 * math.exp(-index)
        row = {
            "step": 10 * index,
            "seconds": 0.5 * index,
            "learning_rate": 0.01,
            "accuracy": 1 - 0.9 * math.exp(-scale * index),
            "cross_entropy": loss,
            "per_slot_accuracy": [0.5, 0.6],
            "fast_gradient_norm": 1.5 + index,
            "slow_gradient_norm": 0.2 + index,
        }
        if index:
            row |= {"train_loss": 1.1 * loss, "train_accuracy": 0.8, "train_gradient_norm": loss}
        rows.append(row)
    return rows
