"""Chunks of time where α is a number for each feature of the key, or the erase key e is not β k. One key factor.

With Γ_t the product of α up to step t of a chunk, features apart, and U what its steps write,

    (I + tril(E ⋆ K, −1)) U = β V − (Γ ⊙ E) F(0)        (X ⋆ K)_ti = Σ_d x_t[d] k_i[d] Π_{i<l≤t} α_l[d]
    retrieved = (Γ ⊙ Q) F(0) + tril(Q ⋆ K) U
    F(C)      = diag(Γ_C) F(0) + Σ_i (k_i ⊙ Π_{l>i} α_l) u_iᵀ

1/Γ overflows where α is small, so X ⋆ K is made by halves: of rows behind the middle of a block and columns before it,
(x_t ⊙ Π_{m≤l≤t} α_l) · (Π_{i<l<m} α_l ⊙ k_i). Only products, so a factor of 0 is as good as any, to the gradient too.
"""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import layer_norm, pad

from fastweights.ops.delta_memory import reference
from fastweights.ops.delta_memory.combine import start
from fastweights.ops.delta_memory.options import Inputs, MomentumState, Options
from fastweights.ops.tracing import is_open

CHUNK = 32
"""Steps of a chunk where none are asked for."""


def run(
    inputs: Inputs, options: Options
) -> tuple[
    Float[Tensor, "batch time value"] | None, Float[Tensor, "batch key value"] | MomentumState
]:
    """Return what is retrieved at every step, and the memory after the last; there is a step at least."""
    values = inputs.values
    time = values.shape[1]
    if is_open(time):  # there is no number of chunks
        return reference.run(inputs, options)
    length = min(time, options.chunk or CHUNK)
    cut = (x if x is None else x.split(length, 1) for x in arrays(inputs, options))
    F, retrieved = start(inputs.keys, values, inputs.memory, options.combine), []
    for k, v, a, e, q in zip(*(repeat(None) if x is None else x for x in cut), strict=False):
        assert k is not None and v is not None and a is not None
        found = star(k, a, e, q)
        u = v
        if e is not None:
            rest = v - (found.up_to * e) @ F
            u = torch.linalg.solve_triangular(found.erase, rest, upper=False, unitriangular=True)
        if q is not None:
            retrieved.append((found.up_to * q) @ F + found.query @ u)
        F = found.up_to[:, -1].unsqueeze(2) * F + (k * found.after).mT @ u
    if not retrieved:
        return None, F
    return finish(torch.cat(retrieved, 1), inputs, options), F


def finish(
    retrieved: Float[Tensor, "batch time value"], inputs: Inputs, options: Options
) -> Float[Tensor, "batch time value"]:
    """Return what is retrieved after LN, 0 where nothing is read."""
    n, mask = retrieved, inputs.read_mask
    if options.read_norm:
        n = layer_norm(n, n.shape[2:], eps=options.norm_eps)
    return n if mask is None else n.masked_fill(~mask.unsqueeze(2), 0)


def arrays(
    inputs: Inputs, options: Options
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None]:
    """Return k, β v, α for each feature, e (None where nothing is erased) and q (None where nothing is read)."""
    (keys,), strength, gate = inputs.keys, inputs.strength.unsqueeze(2), inputs.gate
    if gate is None:
        gate = torch.ones_like(keys)
    elif gate.dim() == 2:
        gate = gate.unsqueeze(2).expand_as(keys)
    erase = inputs.erase
    if erase is None and options.rule == "delta":
        erase = strength * keys
    query = None if inputs.queries is None else inputs.queries[0]
    return keys, strength * inputs.values, gate, erase, query


class Star(NamedTuple):
    """Products of the keys of a chunk, and of its decays.

    Attributes:
        erase, query: E ⋆ K below the diagonal, Q ⋆ K up to it.
        up_to: Γ, from the chunk's start to each step, with it.
        after: from each step to the chunk's end, without it.
    """

    erase: Float[Tensor, "batch chunk chunk"]
    query: Float[Tensor, "batch chunk chunk"]
    up_to: Float[Tensor, "batch chunk key"]
    after: Float[Tensor, "batch chunk key"]


def star(
    keys: Float[Tensor, "batch chunk key"],
    gate: Float[Tensor, "batch chunk key"],
    erase: Float[Tensor, "batch chunk key"] | None,
    query: Float[Tensor, "batch chunk key"] | None,
) -> Star:
    """Return the products by halves, in blocks of 1, 2, 4 … steps; None counts as zeros.

    Example:
        >>> k, a = torch.tensor([[[1.0], [1.0], [1.0]]]), torch.tensor([[[9.0], [2.0], [0.0]]])
        >>> star(k, a, None, k).query[0].tolist()
        [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    steps = keys.shape[1]
    whole = 1 << (steps - 1).bit_length()
    cut = [blocks(x, whole - steps) for x in (keys, erase, query) if x is not None]
    k, rows = cut[0], cut[1:]
    up_to = blocks(gate, whole - steps, 1.0)
    after = torch.ones_like(up_to)
    zero = k.new_zeros(*k.shape[:2], 1, 1)
    pairs = [zero] * (erase is not None)
    pairs += [(k * x).sum(3, keepdim=True) for x in rows[len(pairs) :]]
    while up_to.shape[1] > 1:
        column = (k * after)[:, 0::2].mT
        for place, x in enumerate(rows):
            pairs[place] = joined(pairs[place], (x * up_to)[:, 1::2] @ column)
        first, second = up_to[:, 0::2], up_to[:, 1::2]
        after = torch.cat((after[:, 0::2] * second[:, :, -1:], after[:, 1::2]), 2)
        up_to = torch.cat((first, second * first[:, :, -1:]), 2)
        k, *rows = map(twice, (k, *rows))
    none = zero[:, 0]
    found = [pair[:, 0, :steps, :steps] for pair in pairs]
    lower = found.pop(0) if erase is not None else none
    return Star(lower, found[0] if found else none, up_to[:, 0, :steps], after[:, 0, :steps])


def joined(
    pairs: Float[Tensor, "batch blocks step step"], corner: Float[Tensor, "batch half step step"]
) -> Float[Tensor, "batch half both both"]:
    """Return the products of blocks of twice the steps, given those of rows behind a middle with columns before it."""
    upper = pad(pairs[:, 0::2], (0, corner.shape[3]))
    return torch.cat((upper, torch.cat((corner, pairs[:, 1::2]), 3)), 2)


def twice(x: Float[Tensor, "batch blocks step key"]) -> Float[Tensor, "batch half both key"]:
    """Return blocks of twice the steps."""
    return x.unflatten(1, (-1, 2)).flatten(2, 3)


def blocks(
    x: Float[Tensor, "batch chunk key"], more: int, value: float = 0.0
) -> Float[Tensor, "batch blocks step key"]:
    """Return blocks of a step each, after so many more steps of a value."""
    return pad(x, (0, 0, 0, more), value=value).unsqueeze(2)
