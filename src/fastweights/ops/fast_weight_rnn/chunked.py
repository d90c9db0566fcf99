"""The fast-weights RNN in attention form within chunks of time, A formed only at their borders.

Inside a chunk that starts with A(0), step t (1-based) reads

    A(t-1) h_s = λ^(t-1) A(0) h_s + η Σ_τ<t λ^(t-1-τ) h(τ) ⟨h(τ), h_s⟩

so a read costs O(t H) instead of O(H²) and no step writes H² numbers. The chunk bounds t, hence the cost of a step.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.fast_weight_rnn import reference
from fastweights.ops.fast_weight_rnn.cell import Cell
from fastweights.ops.fast_weight_rnn.memory import final_memory, powers
from fastweights.ops.fast_weight_rnn.options import Inputs, Options
from fastweights.ops.tracing import is_open


def run(inputs: Inputs, options: Options) -> Float[Tensor, "batch time hidden"]:
    """Return h(1) … h(T)."""
    if is_open(inputs.drive.shape[1]):  # there is no number of chunks
        return reference.run(inputs, options)
    drive, time, parts = inputs.drive, inputs.drive.shape[1], []
    length = pick_chunk(time, drive.shape[2]) if options.chunk is None else options.chunk
    for start in range(0, time, length):
        part = _attend(inputs._replace(drive=drive[:, start : start + length]), options)
        parts.append(part)
        if start + length < time:
            memory = final_memory(part, inputs.memory, inputs.decay, inputs.rate)
            inputs = inputs._replace(hidden=part[:, -1], memory=memory)
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def pick_chunk(time: int, hidden: int) -> int:
    """Return the chunk: a short sequence whole, since its history is cheaper to read than A; else 32 steps.

    Measured with autograd, where a step of the history costs more than its arithmetic says.
    """
    return time if time <= max(32, hidden // 2) else 32


def _attend(inputs: Inputs, options: Options) -> Float[Tensor, "batch time hidden"]:
    """Return h of one chunk of any length, in attention form."""
    cell, drive, memory = Cell(inputs, options), inputs.drive, inputs.memory
    time = drive.shape[1]
    fading = powers(inputs.decay, time, drive)
    written = inputs.rate * fading.flip(0)  # η λ^(time-1-τ): its last t entries weigh t past writes
    A_transposed = None if memory is None else memory.mT
    h, past = inputs.hidden, drive[:, :0]
    for t, drive_t in enumerate(drive.unbind(1)):
        slow, h = cell.start(drive_t, h)
        for _ in range(options.inner_steps):
            z = slow
            if A_transposed is not None:
                faded = (fading[t] * h).unsqueeze(1)
                z = torch.baddbmm(z.unsqueeze(1), faded, A_transposed).squeeze(1)
            if t > 0:
                attention = torch.linalg.vecdot(past, h.unsqueeze(1)) * written[time - t :]
                z = torch.baddbmm(z.unsqueeze(1), attention.unsqueeze(1), past).squeeze(1)
            h = cell.activate(z)
        past = torch.cat((past, h.unsqueeze(1)), 1) if t > 0 else h.unsqueeze(1)
    return past
