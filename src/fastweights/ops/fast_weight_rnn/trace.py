"""A run of the fast-weights RNN with its read weights and its memory at chosen steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.fast_weight_rnn import reference
from fastweights.ops.fast_weight_rnn.memory import final_memory
from fastweights.ops.fast_weight_rnn.options import Inputs, Options


class MemoryTrace(NamedTuple):
    """A sequence as the memory saw it.

    Attributes:
        outputs: [batch, time, hidden], h(1) … h(T).
        read_weights: [batch, time, inner_steps, time], η λ^(t-1-τ) ⟨h(τ), h_s(t)⟩: how much the read of h_s(t) takes
            of h(τ), τ < t; 0 on and above the diagonal.
        steps: A after each of the chosen steps, [batch, len(memory_steps), hidden, hidden].
        memory: A after the last step, [batch, hidden, hidden].
    """

    outputs: Float[Tensor, "batch time hidden"]
    read_weights: Float[Tensor, "batch time reads time"]
    steps: Float[Tensor, "batch steps hidden hidden"]
    memory: Float[Tensor, "batch hidden hidden"]


def trace(inputs: Inputs, options: Options, memory_steps: Sequence[int] = ()) -> MemoryTrace:
    """Run `fast_weight_rnn` step by step from a given state and keep what it did.

    Args:
        inputs, options: as `fast_weight_rnn` documents them.
        memory_steps: the steps, 0-based, after which A is kept.
    """
    h_s = torch.stack([torch.stack(each, 1) for each in reference.steps(inputs, options)], 1)
    h, (decay, rate) = h_s[:, :, -1], (inputs.decay, inputs.rate)
    assert inputs.memory is not None
    t = torch.arange(h.shape[1], device=h.device, dtype=h.dtype)
    age = t[:, None] - 1 - t
    fading = (rate * decay ** age.clamp(min=0) * (age >= 0))[:, None]
    memories = [final_memory(h[:, : t + 1], inputs.memory, decay, rate) for t in memory_steps]
    return MemoryTrace(
        outputs=h,
        read_weights=fading * torch.einsum("btsh,bph->btsp", h_s[:, :, :-1], h),
        steps=torch.stack(memories, 1) if memories else inputs.memory[:, None][:, :0],
        memory=final_memory(h, inputs.memory, decay, rate),
    )
