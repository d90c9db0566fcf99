"""Metalearned Neural Memory step by step: the equations of `neural_memory`, the memory changed in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fastweights.ops.neural_memory.options import Learned, State
from fastweights.ops.over_time import Others, over_time


class Saved(NamedTuple):
    """Values that a step keeps for the way back, each [batch, …].

    gates: σ(i), σ(f), tanh(g), σ(o) side by side; cell: c after the step; interface [batch, 1 + 3 heads, size];
    strength β [batch, 1], 0 where padded; found and missing [batch, heads, layers · size]: z_1 … z_L of the keys
    before the write, and what they were short of their targets; reads [batch, 2 heads, layers · size]: z_1 … z_L of
    keys and queries after it.
    """

    gates: Tensor
    cell: Tensor
    interface: Tensor
    strength: Tensor
    found: Tensor
    missing: Tensor
    reads: Tensor


Now = tuple[Tensor, Tensor, Tensor, Tensor]
"""h, c, r and M."""


def full_memory(
    start: Float[Tensor, "layers size size"], memory: Float[Tensor, "batch layers size size"]
) -> Float[Tensor, "layers batch size size"]:
    """Return M: a new tensor, each layer in one piece."""
    return (start[:, None] + memory.transpose(0, 1)).contiguous()


def recall(
    M: Float[Tensor, "layers batch size size"], keys: Float[Tensor, "batch keys size"]
) -> Float[Tensor, "batch keys outputs"]:
    """Return z_1 … z_L of the keys side by side."""
    found = []
    for weight in M[:-1]:
        keys = torch.bmm(keys, weight).tanh_()
        found.append(keys)
    return torch.cat([*found, torch.bmm(keys, M[-1])], -1)


def rate(strength: Float[Tensor, "batch 1"], heads: int, size: int) -> Float[Tensor, "batch 1 1"]:
    """Return 2β / (n d), the factor of a write."""
    return (2 / (heads * size) * strength)[:, :, None]


def write_(
    M: Float[Tensor, "layers batch size size"],
    keys: Float[Tensor, "batch heads size"],
    found: Float[Tensor, "batch heads outputs"],
    errors: Float[Tensor, "batch heads outputs"],
) -> Float[Tensor, "layers batch size size"]:
    """Add Σ_heads z_l-1ᵀ error_l to each layer, in place."""
    for weight, z, error in _ends(M, keys, found, errors):
        weight.baddbmm_(z.mT, error)
    return M


def write(
    M: Float[Tensor, "layers batch size size"],
    keys: Float[Tensor, "batch heads size"],
    found: Float[Tensor, "batch heads outputs"],
    errors: Float[Tensor, "batch heads outputs"],
) -> Float[Tensor, "layers batch size size"]:
    """Return what `write_` makes of M, which stays."""
    ends = _ends(M, keys, found, errors)
    return torch.stack([torch.baddbmm(weight, z.mT, error) for weight, z, error in ends])


def _ends(
    M: Tensor, keys: Tensor, found: Tensor, errors: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Return each layer with what stands at its two ends."""
    size = keys.shape[-1]
    return zip(M, (keys, *found.split(size, -1)), errors.split(size, -1), strict=False)


def step(
    drive: Float[Tensor, "batch gates"],
    learned: Learned,
    before: Now,
    real: Bool[Tensor, "batch 1"] | None,
    write: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = write_,
) -> tuple[Now, Float[Tensor, " batch"], Saved]:
    """Compute one step: the state after it, the error, and what the backward pass needs; `write_` changes M."""
    h, c, r, M = before
    size = M.shape[-1]
    sums = torch.addmm(drive, torch.cat([h, r], 1), learned.recurrent.t())
    i, f, g, o = sums.chunk(4, 1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    c = f * c + i * g
    h = o * torch.tanh(c)
    interface = torch.addmm(learned.interface_bias, h, learned.interface.t()).tanh_()
    interface = interface.unflatten(1, (-1, size))
    keys, values, queries = interface[:, 1:].chunk(3, 1)
    heads = keys.shape[1]
    strength = torch.addmm(learned.strength_bias, interface[:, 0], learned.strength.t()).sigmoid_()
    if real is not None:
        strength = strength * real
    found = recall(M, keys)
    missing = torch.nn.functional.linear(values, learned.targets, learned.targets_bias) - found
    M = write(M, keys, found, rate(strength, heads, size) * missing)
    reads = recall(M, torch.cat([keys, queries], 1))
    again, answers = reads[..., -size:].chunk(2, 1)
    error = (again - values).square().mean((1, 2))
    r = answers.mean(1)
    if real is not None:
        pairs = zip((h, c, r), before[:3], strict=True)
        h, c, r = (torch.where(real, new, old) for new, old in pairs)
        error = error * real[:, 0]
    gates = torch.cat([i, f, g, o], 1)
    return (h, c, r, M), error, Saved(gates, c, interface, strength, found, missing, reads)


def run(
    drive: Float[Tensor, "batch time gates"],
    learned: Learned,
    start: Float[Tensor, "layers size size"],
    state: State,
    mask: Bool[Tensor, "batch time"] | None,
    steps: tuple[int, ...],
    record: list[Saved] | None = None,
) -> tuple[Tensor, ...]:
    """Return hidden, read, error, the memory at the steps, and the state's tensors; `record` gets what is saved."""
    begun = full_memory(start, state.memory)
    now = (state.hidden, state.cell, state.read, begun.clone())

    def written() -> Tensor:
        """M less its start: rows that nothing was written to keep theirs to the bit."""
        return state.memory + (now[3] - begun).transpose(0, 1)

    memory = {}
    if torch.compiler.is_exporting():  # autograd, and an operator over time, need M as it was

        def step_anew(before: Now, drive: Tensor, others: Others) -> tuple[Now, tuple[Tensor, ...]]:
            (real,) = others
            after, error, _ = step(
                drive, learned, before, None if real is None else real[:, None], write
            )
            return after, (after[0], after[2], error)

        now, (hidden, read, error) = over_time(step_anew, now, drive, (mask,))
    else:
        moments = []
        for t, drive_t in enumerate(drive.unbind(1)):
            now, error, saved = step(
                drive_t, learned, now, None if mask is None else mask[:, t, None]
            )
            moments.append((now[0], now[2], error))
            if record is not None:
                record.append(saved)
            if t in steps:
                memory[t] = written()
        hidden, read, error = (torch.stack(each, 1) for each in zip(*moments, strict=True))
    end = written()
    chosen = [memory[t][:, None] for t in steps]
    at_steps = torch.cat([end.new_empty(end.shape[0], 0, *end.shape[1:]), *chosen], 1)
    return hidden, read, error, at_steps, *now[:3], end
