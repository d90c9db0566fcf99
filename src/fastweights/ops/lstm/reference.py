"""The LSTM step by step in plain PyTorch: its equations, on any device and dtype."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops import padding
from fastweights.ops.lstm.arguments import check_classes
from fastweights.ops.lstm.options import Inputs, Options
from fastweights.ops.over_time import Others, over_time
from fastweights.ops.tracing import may_look

State = tuple[Tensor, Tensor]
"""h and c."""


def run(
    inputs: Inputs, options: Options
) -> tuple[
    Float[Tensor, "batch time hidden"],
    Float[Tensor, "batch hidden"],
    Float[Tensor, "batch hidden"],
]:
    """Return h(1) … h(T), 0 after a row's length, and h and c at it."""
    gates, recurrent_weight, classes, hidden, cell, padded_steps = inputs
    if classes is not None and may_look(classes):
        check_classes(classes, len(gates))
    given = gates if classes is None else torch.nn.functional.embedding(classes, gates)
    batch, time, _ = given.shape
    h = given.new_zeros(batch, recurrent_weight.shape[1]) if hidden is None else hidden
    c = torch.zeros_like(h) if cell is None else cell
    if not time:
        return given.new_zeros(batch, 0, h.shape[1]), h, c
    start, padded = (h, c), None
    if padded_steps is not None:
        padded = padded_steps.at_end().unsqueeze(2)
        given = given.masked_fill(padded, 0)
    W_transposed = recurrent_weight.t()

    def step(before: State, gates_t: Tensor, others: Others) -> tuple[State, tuple[Tensor, ...]]:
        h, c = before
        i, f, g, o = torch.addmm(gates_t, h, W_transposed).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return (h, c), (h,) if padded is None else (h, c)

    (h, c), (y, *cells) = over_time(step, start, given)
    if padded_steps is None or padded is None:
        return y, h, c
    h, c = (
        padding.last_real(each, padded_steps.lengths, first)
        for each, first in zip((y, *cells), start, strict=True)
    )
    return y.masked_fill(padded, 0), h, c
