"""The recurrence one step at a time from zero, in attention form: A is never made, only what would have written it."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.fast_weight_rnn.cell import Cell
from fastweights.ops.fast_weight_rnn.memory import powers


class History:
    """The hidden states so far, which a step reads instead of A: O(t H), where writing and reading A costs O(H²).

        A(t-1) h_s = η Σ_τ<t λ^(t-1-τ) h(τ) ⟨h(τ), h_s⟩

    For what needs no gradient: the history is written in place.

    Args:
        recurrent_weight: W [hidden, hidden].
        batch: rows.
        time: steps, at most.
        options: as `fast_weight_rnn` documents them.

    Example:
        >>> options = {"norm_weight": None, "norm_bias": None, "nonlinearity": "tanh", "form": "inner",
        ...     "preliminary_norm_weight": None, "preliminary_norm_bias": None, "norm_eps": 1e-5}
        >>> history = History(torch.eye(3), 2, 5, decay=0.95, rate=0.5, inner_steps=1, **options)
        >>> history.step(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        recurrent_weight: Float[Tensor, "hidden hidden"],
        batch: int,
        time: int,
        *,
        decay: float | Tensor,
        rate: float | Tensor,
        inner_steps: int,
        **options: Any,
    ) -> None:
        self.cell, self.inner_steps, self.done = Cell(recurrent_weight, **options), inner_steps, 0
        self.past = recurrent_weight.new_empty(time, batch, len(recurrent_weight))
        # η λ^(time-1-τ): the last t entries weigh t past writes.
        self.written = rate * powers(decay, time, recurrent_weight).flip(0).unsqueeze(1)

    def step(self, drive: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch hidden"]:
        """Return h(t), given C x(t) + bias."""
        t = self.done
        past, weights = self.past[:t], self.written[len(self.written) - t :]
        slow, h = self.cell.start(drive, self.past[t - 1] if t else None)
        for _ in range(self.inner_steps):
            attention = torch.linalg.vecdot(past, h) * weights
            h = self.cell.settle(slow + (attention.unsqueeze(2) * past).sum(0) if t else slow)
        self.past[t] = h
        self.done += 1
        return h
