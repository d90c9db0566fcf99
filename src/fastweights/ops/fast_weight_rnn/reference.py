"""The fast-weights RNN step by step with A written out: the paper's equations, on any device and dtype.

They stand again in `chunked` and `history` (attention form, eq. 4), `cpu/` (fused) and `oracle.fast_weight_rnn` (the
truth); see README.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.fast_weight_rnn.cell import Cell
from fastweights.ops.fast_weight_rnn.options import Inputs, Options
from fastweights.ops.over_time import Others, over_time
from fastweights.ops.tracing import is_open

Before = tuple[Tensor | None, Tensor | None]
"""h and Aᵀ before a step; None is zero."""


def run(inputs: Inputs, options: Options) -> Float[Tensor, "batch time hidden"]:
    """Return h(1) … h(T); `options.chunk` is ignored."""
    if not inputs.drive.shape[1]:
        return inputs.drive
    if not inputs.drive.numel():  # no row to settle
        options = options._replace(inner_steps=1)
    cell, h, A = Cell(inputs, options), inputs.hidden, _transposed(inputs.memory)
    if is_open(inputs.drive.shape[1]):
        batch, _, size = inputs.drive.shape
        h = inputs.drive.new_zeros(batch, size) if h is None else h
        A = inputs.drive.new_zeros(batch, size, size) if A is None else A

    def step(before: Before, drive: Tensor, others: Others) -> tuple[Before, tuple[Tensor, ...]]:
        h, A = before
        h = _settle(cell, options, drive, h, A)[-1]
        return (h, write(A, h, inputs.decay, inputs.rate)), (h,)

    return over_time(step, (h, A), inputs.drive)[1][0]


def steps(inputs: Inputs, options: Options) -> Iterator[list[Tensor]]:
    """Yield h_0(t) … h_S(t), each [batch, hidden], for every step t."""
    cell, h, A = Cell(inputs, options), inputs.hidden, _transposed(inputs.memory)
    for drive in inputs.drive.unbind(1):
        iterates = _settle(cell, options, drive, h, A)
        yield iterates
        h = iterates[-1]
        A = write(A, h, inputs.decay, inputs.rate)  # λ A + η h hᵀ              eq. 1


def step(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden hidden"]]:
    """Return h(1) and A(1) of inputs with one time step; the arguments are as `fast_weight_rnn` documents them.

    It costs less than `fast_weight_rnn` over one step: nothing is checked, cast or resolved.
    """
    h = next(steps(inputs, options))[-1]
    return h, write(inputs.memory, h, inputs.decay, inputs.rate)


def _settle(
    cell: Cell, options: Options, drive: Tensor, h: Tensor | None, A_transposed: Tensor | None
) -> list[Tensor]:
    """Return h_0 … h_S of a step, given h and A before it; None is zero."""
    z, h = cell.start(drive, h)  # h_0                                          eq. 2
    iterates = [h]
    for _ in range(options.inner_steps):
        z_s = z if A_transposed is None else read(z, A_transposed, h)
        h = cell.activate(z_s)  # f(LN[z + A h_s])                              eq. 2
        iterates.append(h)
    return iterates


def _transposed(A: Tensor | None) -> Tensor | None:
    """Return Aᵀ: a row vector h reads A h as h Aᵀ; writes are symmetric."""
    return None if A is None else A.mT


def read(
    z: Float[Tensor, "batch hidden"],
    A_transposed: Float[Tensor, "batch hidden hidden"],
    h: Float[Tensor, "batch hidden"],
) -> Float[Tensor, "batch hidden"]:
    """Return z + A h."""
    return torch.baddbmm(z.unsqueeze(1), h.unsqueeze(1), A_transposed).squeeze(1)


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
