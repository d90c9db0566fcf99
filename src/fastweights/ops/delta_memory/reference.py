"""The memory step by step with F written out: the paper's equations, on any device and dtype."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import layer_norm

from fastweights.ops.delta_memory.combine import combined, start
from fastweights.ops.delta_memory.decay import decayed
from fastweights.ops.delta_memory.options import Inputs, Options

Tensors = tuple[Tensor, ...]


class Step(NamedTuple):
    """What one step did.

    Attributes:
        memory: F after the step, flat: [batch, key, value].
        kept: a number for each row, [batch], or None for 1: what the clamp left of F'.
        asked: the query of each read in its factors, ((n⁰, e¹), (n¹, e²), …), or ((q,),); () if nothing is read.
        retrieved: [batch, value]; None if nothing is read.
    """

    memory: Float[Tensor, "batch key value"]
    kept: Float[Tensor, " batch"] | None
    asked: tuple[Tensors, ...]
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
    keys_t, values_t, strength_t = _each(keys), values.unbind(1), strength.unbind(1)
    queries_t = None if queries is None else _each(queries)
    for t, k_t in enumerate(keys_t):
        k, v = combined(k_t, options.combine), values_t[t]
        F = decayed(F, gate, t)
        if options.rule == "delta":
            v = v - read(F, k)
        F = torch.baddbmm(F, k.unsqueeze(2), (strength_t[t].unsqueeze(1) * v).unsqueeze(1))
        kept = None
        if options.clamp:
            kept = _kept(F, None if mask is None else mask[:, t])
            F = kept[:, None, None] * F
        asked, retrieved = [], None
        if queries_t is not None:
            retrieved, *links = queries_t[t]
            for link in _each(links) if links else ((),):
                asked.append((retrieved, *link))
                retrieved = read(F, combined(asked[-1], options.combine))
                if options.read_norm:
                    retrieved = layer_norm(retrieved, retrieved.shape[-1:], eps=options.norm_eps)
        yield Step(F, kept, tuple(asked), retrieved)


def read(
    F: Float[Tensor, "batch key value"], k: Float[Tensor, "batch key"]
) -> Float[Tensor, "batch value"]:
    """Return F k."""
    return torch.bmm(k.unsqueeze(1), F).squeeze(1)


def _kept(
    F: Float[Tensor, "batch key value"], real: Bool[Tensor, " batch"] | None
) -> Float[Tensor, " batch"]:
    """1 / max(1, ‖F‖); 1 at padded steps."""
    norm = torch.linalg.vector_norm(F, dim=(1, 2))
    over = norm > 1 if real is None else (norm > 1) & real
    return 1 / torch.where(over, norm, 1)


def _each(parts: Sequence[Tensor]) -> list[Tensors]:
    """What every step, or every read, has of each part."""
    return list(zip(*(part.unbind(1) for part in parts), strict=True))
