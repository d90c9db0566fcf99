"""The recurrence one step at a time from zero, in attention form: only what would have written A is kept."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.fast_weight_rnn.cell import Cell
from fastweights.ops.fast_weight_rnn.memory import powers
from fastweights.ops.fast_weight_rnn.options import Inputs, Options


class History:
    """The hidden states so far, which a step reads instead of A: O(t H), where writing and reading A costs O(H²).

        A(t-1) h_s = η Σ_τ<t λ^(t-1-τ) h(τ) ⟨h(τ), h_s⟩

    For what needs no gradient: the history is written in place.

    Args:
        inputs: the weights, λ and η; `drive` [batch, time, hidden] says how many rows and steps, at most, there are.
        options: f, the form and the inner steps.

    Example:
        >>> inputs = Inputs(torch.empty(2, 5, 3, device="meta"), torch.eye(3), decay=0.95, rate=0.5)
        >>> history = History(inputs, Options(nonlinearity="tanh"))
        >>> history.step(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """

    def __init__(self, inputs: Inputs, options: Options) -> None:
        W, (batch, time, size) = inputs.recurrent_weight, inputs.drive.shape
        self.cell, self.inner_steps, self.done = Cell(inputs, options), options.inner_steps, 0
        self.past = W.new_empty(time, batch, size)
        # η λ^(time-1-τ): the last t entries weigh t past writes.
        self.written = inputs.rate * powers(inputs.decay, time, W).flip(0).unsqueeze(1)

    def step(self, drive: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch hidden"]:
        """Return h(t), given C x(t) + bias."""
        t = self.done
        past, weights = self.past[:t], self.written[len(self.written) - t :]
        slow, h = self.cell.start(drive, self.past[t - 1] if t else None)
        for _ in range(self.inner_steps):
            attention = torch.linalg.vecdot(past, h) * weights
            h = self.cell.activate(slow + (attention.unsqueeze(2) * past).sum(0) if t else slow)
        self.past[t] = h
        self.done += 1
        return h
