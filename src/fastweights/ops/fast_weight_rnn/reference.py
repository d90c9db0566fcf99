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


def run(inputs: Inputs, options: Options) -> Float[Tensor, "batch time hidden"]:
    """Return h(1) … h(T); `options.chunk` is ignored."""
    if not inputs.drive.shape[1]:
        return inputs.drive
    if not inputs.drive.numel():  # no row to settle
        options = options._replace(inner_steps=1)
    return torch.stack([iterates[-1] for iterates in steps(inputs, options)], 1)


def steps(inputs: Inputs, options: Options) -> Iterator[list[Tensor]]:
    """Yield h_0(t) … h_S(t), each [batch, hidden], for every step t."""
    cell, h, A = Cell(inputs, options), inputs.hidden, inputs.memory
    A = None if A is None else A.mT  # a row vector h reads A h as h Aᵀ; writes are symmetric
    for drive in inputs.drive.unbind(1):
        z, h = cell.start(drive, h)  # h_0                                      eq. 2
        iterates = [h]
        for _ in range(options.inner_steps):
            h = cell.activate(z if A is None else read(z, A, h))  # f(LN[z + A h_s])  eq. 2
            iterates.append(h)
        yield iterates
        A = write(A, h, inputs.decay, inputs.rate)  # λ A + η h hᵀ              eq. 1


def step(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden hidden"]]:
    """Return h(1) and A(1) of inputs with one time step; the arguments are as `fast_weight_rnn` documents them.

    It costs less than `fast_weight_rnn` over one step: nothing is checked, cast or resolved.
    """
    h = next(steps(inputs, options))[-1]
    return h, write(inputs.memory, h, inputs.decay, inputs.rate)


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
