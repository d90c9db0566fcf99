"""The fast-weights RNN in attention form within chunks of time, A made only at their borders.

Inside a chunk that starts with A(0), step t (1-based) reads

    A(t-1) h_s = λ^(t-1) A(0) h_s + η Σ_τ<t λ^(t-1-τ) h(τ) ⟨h(τ), h_s⟩

so a read costs O(t H) instead of O(H²) and no step writes H² numbers. The chunk bounds t, hence the cost of a step.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.fast_weight_rnn.cell import Cell
from fastweights.ops.fast_weight_rnn.memory import final_memory, powers


def run(
    drive: Float[Tensor, "batch time hidden"],
    recurrent_weight: Float[Tensor, "hidden hidden"],
    *,
    decay: float | Tensor,
    rate: float | Tensor,
    hidden: Float[Tensor, "batch hidden"] | None,
    memory: Float[Tensor, "batch hidden hidden"] | None,
    chunk: int | None,
    **options: Any,
) -> Float[Tensor, "batch time hidden"]:
    """Return h(1) … h(T); arguments as `fast_weight_rnn` documents them."""
    time = drive.shape[1]
    length = best_chunk(time, drive.shape[2]) if chunk is None else chunk
    parts = []
    for start in range(0, time, length):
        part = _attend(
            drive[:, start : start + length],
            recurrent_weight,
            decay=decay,
            rate=rate,
            hidden=hidden,
            memory=memory,
            **options,
        )
        parts.append(part)
        if start + length < time:
            hidden, memory = part[:, -1], final_memory(part, memory, decay, rate)
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def best_chunk(time: int, hidden: int) -> int:
    """Choose the chunk: a short sequence whole, since its history is cheaper to read than A; else 32 steps.

    Measured with autograd, where a step of the history costs more than its arithmetic says.
    """
    return time if time <= max(32, hidden // 2) else 32


def _attend(
    drive: Float[Tensor, "batch time hidden"],
    recurrent_weight: Float[Tensor, "hidden hidden"],
    *,
    decay: float | Tensor,
    rate: float | Tensor,
    hidden: Float[Tensor, "batch hidden"] | None,
    memory: Float[Tensor, "batch hidden hidden"] | None,
    inner_steps: int,
    **options: Any,
) -> Float[Tensor, "batch time hidden"]:
    """One chunk of any length in attention form."""
    cell, time = Cell(recurrent_weight, **options), drive.shape[1]
    fading = powers(decay, time, drive)
    written = rate * fading.flip(0)  # η λ^(time-1-τ): its last t entries weigh t past writes
    A_transposed = None if memory is None else memory.mT
    h, past = hidden, drive[:, :0]
    for t, drive_t in enumerate(drive.unbind(1)):
        slow, h = cell.start(drive_t, h)
        for _ in range(inner_steps):
            z = slow
            if A_transposed is not None:
                faded = (fading[t] * h).unsqueeze(1)
                z = torch.baddbmm(z.unsqueeze(1), faded, A_transposed).squeeze(1)
            if t > 0:
                attention = torch.linalg.vecdot(past, h.unsqueeze(1)) * written[time - t :]
                z = torch.baddbmm(z.unsqueeze(1), attention.unsqueeze(1), past).squeeze(1)
            h = cell.settle(z)
        past = torch.cat((past, h.unsqueeze(1)), 1) if t > 0 else h.unsqueeze(1)
    return past
