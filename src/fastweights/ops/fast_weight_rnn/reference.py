"""The fast-weights RNN step by step with A written out: the paper's equations, on any device and dtype."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.fast_weight_rnn.cell import Cell


def run(
    drive: Float[Tensor, "batch time hidden"],
    recurrent_weight: Float[Tensor, "hidden hidden"],
    *,
    chunk: int | None = None,
    **options: Any,
) -> Float[Tensor, "batch time hidden"]:
    """Return h(1) … h(T); arguments as `fast_weight_rnn` documents them. `chunk` means nothing here."""
    return torch.stack([settled[-1] for settled in steps(drive, recurrent_weight, **options)], 1)


def steps(
    drive: Float[Tensor, "batch time hidden"],
    recurrent_weight: Float[Tensor, "hidden hidden"],
    *,
    decay: float | Tensor,
    rate: float | Tensor,
    hidden: Float[Tensor, "batch hidden"] | None,
    memory: Float[Tensor, "batch hidden hidden"] | None,
    inner_steps: int,
    **options: Any,
) -> Iterator[list[Tensor]]:
    """Yield h_0(t) … h_S(t), each [batch, hidden], for every step t."""
    cell = Cell(recurrent_weight, **options)
    # A row vector h reads A h as h Aᵀ, so Aᵀ is what is kept; writes are symmetric.
    h, A_transposed = hidden, None if memory is None else memory.mT
    for drive_t in drive.unbind(1):
        slow, h_s = cell.start(drive_t, h)
        settled = [h_s]
        for _ in range(inner_steps):
            h_s = cell.settle(slow if A_transposed is None else read(slow, A_transposed, h_s))
            settled.append(h_s)
        yield settled
        h = h_s
        A_transposed = write(A_transposed, h, decay, rate)


def read(
    slow: Float[Tensor, "batch hidden"],
    A_transposed: Float[Tensor, "batch hidden hidden"],
    h: Float[Tensor, "batch hidden"],
) -> Float[Tensor, "batch hidden"]:
    """Return slow + A h."""
    return torch.baddbmm(slow.unsqueeze(1), h.unsqueeze(1), A_transposed).squeeze(1)


def write(
    A: Float[Tensor, "batch hidden hidden"] | None,
    h: Float[Tensor, "batch hidden"],
    decay: float | Tensor,
    rate: float | Tensor,
) -> Float[Tensor, "batch hidden hidden"]:
    """Return λ A + η h hᵀ, where A None is zero."""
    column, row = h.unsqueeze(2), h.unsqueeze(1)
    if A is None:
        return (rate * column) * row
    if isinstance(decay, Tensor) or isinstance(rate, Tensor):
        return torch.baddbmm(decay * A, rate * column, row)
    return torch.baddbmm(A, column, row, beta=decay, alpha=rate)
