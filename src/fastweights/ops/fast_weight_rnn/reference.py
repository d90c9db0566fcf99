"""The fast-weights RNN step by step with A written out: the paper's equations, on any device and dtype."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.fast_weight_rnn.cell import Cell
from fastweights.ops.fast_weight_rnn.options import Inputs, Options


def run(inputs: Inputs, options: Options) -> Float[Tensor, "batch time hidden"]:
    """Return h(1) … h(T); `options.chunk` is ignored."""
    if not inputs.drive.shape[1]:
        return inputs.drive
    return torch.stack([settled[-1] for settled in steps(inputs, options)], 1)


def steps(inputs: Inputs, options: Options) -> Iterator[list[Tensor]]:
    """Yield h_0(t) … h_S(t), each [batch, hidden], for every step t."""
    cell, hidden, memory = Cell(inputs, options), inputs.hidden, inputs.memory
    # A row vector h reads A h as h Aᵀ, so Aᵀ is what is kept; writes are symmetric.
    h, A_transposed = hidden, None if memory is None else memory.mT
    for drive_t in inputs.drive.unbind(1):
        slow, h_s = cell.start(drive_t, h)
        settled = [h_s]
        for _ in range(options.inner_steps):
            h_s = cell.settle(slow if A_transposed is None else read(slow, A_transposed, h_s))
            settled.append(h_s)
        yield settled
        h = h_s
        A_transposed = write(A_transposed, h, inputs.decay, inputs.rate)


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
