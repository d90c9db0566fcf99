"""The memory step by step with F written out: the paper's equations, on any device and dtype.

Here F is [key, value], the transpose of the paper's. The same equations stand in `chunked` and `writes` (in parallel
over a chunk), `history` (one step, without F), `cpu/` (fused) and `oracle.delta_memory` (the truth); see README.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import layer_norm

from fastweights.ops.delta_memory.combine import combined, start
from fastweights.ops.delta_memory.decay import decayed
from fastweights.ops.delta_memory.options import Inputs, Options, Tensors


class Step(NamedTuple):
    """What one step did.

    Attributes:
        memory: F after the step, flat: [batch, key, value].
        clamp_factor: a number for each row, [batch], by which the clamp scaled F'; None for 1.
        queries: that of each read in its factors, ((n⁰, e¹), (n¹, e²), …), or ((q,),); () if nothing is read.
        retrieved: [batch, value]; None if nothing is read.
    """

    memory: Float[Tensor, "batch key value"]
    clamp_factor: Float[Tensor, " batch"] | None
    queries: tuple[Tensors, ...]
    retrieved: Float[Tensor, "batch value"] | None


def run(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch time value"] | None, Float[Tensor, "batch *keys value"]]:
    """Return what is retrieved at every step, and the memory after the last; `options.chunk` is ignored."""
    memory = start(inputs.keys, inputs.values, inputs.memory, options.combine)
    F, retrieved = memory.flatten(1, -2), []
    for step in steps(inputs._replace(memory=F), options):
        F = step.memory
        retrieved.append(step.retrieved)
    F = F.reshape(memory.shape)
    if inputs.queries is None:
        return None, F
    outputs = torch.stack(retrieved, 1) if retrieved else torch.zeros_like(inputs.values)
    read_mask = inputs.read_mask
    return outputs if read_mask is None else outputs.masked_fill(~read_mask.unsqueeze(2), 0), F


def steps(inputs: Inputs, options: Options) -> Iterator[Step]:
    """Yield every step in turn, from a memory that is given and flat: [batch, key, value]."""
    keys, values, strength, queries, memory, gate, mask, _ = inputs
    assert memory is not None
    F = memory
    queries_t = None if queries is None else _each(queries)
    for t, factors in enumerate(_each(keys)):
        k, v, beta = combined(factors, options.combine), values[:, t], strength[:, t].unsqueeze(1)
        F = decayed(F, gate, t)  # α F
        u = beta * (v - read(F, k)) if options.rule == "delta" else beta * v
        F = torch.baddbmm(F, k.unsqueeze(2), u.unsqueeze(1))  # F' = α F + u kᵀ      FWM eq. 3
        clamp_factor = None
        if options.clamp:
            clamp_factor = _clamp_factor(F, None if mask is None else mask[:, t])
            F = clamp_factor[:, None, None] * F  # F' / max(1, ‖F'‖)                   FWM eq. 4
        asked, n = [], None
        if queries_t is not None:
            n, *links = queries_t[t]
            for e in _each(links) if links else ((),):
                asked.append((n, *e))
                n = read(F, combined(asked[-1], options.combine))  # LN(F (n ⊗ e))    FWM eq. 7
                if options.read_norm:
                    n = layer_norm(n, n.shape[-1:], eps=options.norm_eps)
        yield Step(F, clamp_factor, tuple(asked), n)


def read(
    F: Float[Tensor, "batch key value"], k: Float[Tensor, "batch key"]
) -> Float[Tensor, "batch value"]:
    """Return F k, which the paper's F [value, key] makes a product from the left."""
    return torch.bmm(k.unsqueeze(1), F).squeeze(1)


def _clamp_factor(
    F: Float[Tensor, "batch key value"], real: Bool[Tensor, " batch"] | None
) -> Float[Tensor, " batch"]:
    """Return 1 / max(1, ‖F‖); 1 at padded steps."""
    norm = torch.linalg.vector_norm(F, dim=(1, 2))
    over = norm > 1 if real is None else (norm > 1) & real
    return 1 / torch.where(over, norm, 1)


def _each(parts: Sequence[Tensor]) -> list[Tensors]:
    """Return what every step, or every read, has of each part."""
    return list(zip(*(part.unbind(1) for part in parts), strict=True))
