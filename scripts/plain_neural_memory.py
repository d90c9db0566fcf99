"""Metalearned Neural Memory as its equations stand, for autograd to differentiate: what the op is held against."""

from __future__ import annotations

import torch
from torch import Tensor

from fastweights.ops.neural_memory import Learned, Outputs, State


def neural_memory(
    drive: Tensor,
    learned: Learned,
    start: Tensor,
    state: State,
    *,
    mask: Tensor | None = None,
    memory_steps: tuple[int, ...] = (),
    backend: str = "reference",
) -> Outputs:
    """Return what the op does, by its docstring's equations."""
    size, (h, c, r, _) = start.shape[-1], state
    start = start.detach()  # it gets no gradient
    M = start + state.memory
    found, kept = [], []
    for t in range(drive.shape[1]):
        real = torch.ones_like(drive[:, 0, 0]).bool() if mask is None else mask[:, t]
        given = torch.where(real[:, None], drive[:, t], 0)
        i, f, g, o = (given + torch.cat([h, r], 1) @ learned.recurrent.T).chunk(4, 1)
        cell = f.sigmoid() * c + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        interface = (hidden @ learned.interface.T + learned.interface_bias).tanh()
        s, *parts = interface.unflatten(1, (-1, size)).split([1, *[_heads(interface, size)] * 3], 1)
        keys, values, queries = parts
        beta = (s[:, 0] @ learned.strength.T + learned.strength_bias).sigmoid()
        targets = (values @ learned.targets.T + learned.targets_bias).unflatten(2, (-1, size))
        layers = [keys, *recalled(M, keys)]
        writes = [z.mT @ (targets[:, :, n] - layers[n + 1]) for n, z in enumerate(layers[:-1])]
        factor = 2 * beta / (keys.shape[1] * size)
        written = M + factor[:, :, None, None] * torch.stack(writes, 1)
        read = recalled(written, queries)[-1].mean(1)
        error = (recalled(written, keys)[-1] - values).square().mean((1, 2))
        M = torch.where(real[:, None, None, None], written, M)
        pairs = ((hidden, h), (cell, c), (read, r))
        h, c, r = (torch.where(real[:, None], new, old) for new, old in pairs)
        found.append((h, r, torch.where(real, error, 0)))
        kept.append((M - start).detach())
    chosen = [kept[t] for t in memory_steps]
    memory = torch.stack(chosen, 1) if chosen else M.detach()[:, None][:, :0]
    outputs = (torch.stack(each, 1) for each in zip(*found, strict=True))
    return Outputs(*outputs, memory, State(h, c, r, M - start))


def _heads(interface: Tensor, size: int) -> int:
    return (interface.shape[1] // size - 1) // 3


def recalled(M: Tensor, keys: Tensor) -> list[Tensor]:
    """Return z_1 … z_L of keys [batch, heads, size]."""
    found = []
    for layer in range(M.shape[1]):
        keys = keys @ M[:, layer]
        if layer < M.shape[1] - 1:
            keys = keys.tanh()
        found.append(keys)
    return found
