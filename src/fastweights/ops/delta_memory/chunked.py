"""The memory in chunks of time: F made only at their borders, all else from inner products of the factors.

Inside a chunk that starts with F(0), write i ≥ 1 adds k_i u_iᵀ, and decay(t, i) is the product of the gates and clamps
that have acted on it after step t; decay(t, 0) of those on F(0). So

    F(t)ᵀ q = decay(t, 0) F(0)ᵀ q + Σ_i≤t decay(t, i) ⟨k_i, q⟩ u_i

is attention over the chunk beside one product with F(0), for all t at once; and ⟨k1 ⊗ k2, n ⊗ e⟩ = ⟨k1, n⟩ ⟨k2, e⟩, so
no key of size k1 · k2 is made. `writes` finds the u and the decay.
"""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.delta_memory import channels, momentum, reference
from fastweights.ops.delta_memory.chunk import Chunk, cut, cut_all, pick_chunk, read, retrieve
from fastweights.ops.delta_memory.combine import products
from fastweights.ops.delta_memory.decay import decay_kind
from fastweights.ops.delta_memory.options import Inputs, MomentumState, Options
from fastweights.ops.delta_memory.writes import find_writes
from fastweights.ops.tracing import is_onnx, is_open


def run(
    inputs: Inputs, options: Options
) -> tuple[
    Float[Tensor, "batch time value"] | None, Float[Tensor, "batch *keys value"] | MomentumState
]:
    """Return what is retrieved at every step, and the state after the last; there is a step at least."""
    if inputs.momentum is not None:
        return momentum.run(inputs, options)
    keys, values, strength, queries, memory, gate, real, read_mask, erase, *_ = inputs
    if erase is not None or decay_kind(gate, values) == "channels":
        return channels.run(inputs, options)
    rule, clamp, combine, read_norm, norm_eps, chunk, *_ = options
    if is_onnx() and (
        clamp or rule == "delta"
    ):  # it has no operator that solves a triangular system
        return reference.run(inputs, options)
    concat = combine == "concat" and len(keys) == 2
    if concat:
        keys = (torch.cat(keys, 2),)
    time = values.shape[1]
    if is_open(time):  # there is no number of chunks
        if clamp:
            return reference.run(inputs, options)
        length = None
    else:
        length = pick_chunk(time, len(keys)) if chunk is None else chunk
    wanted = clamp or rule == "delta"  # what F holds under the keys
    F, norm, retrieved = memory, None, []
    if clamp:
        norm = values.new_zeros(values.shape[0]) if F is None else F.flatten(1).square().sum(1)
    chunks = zip(
        cut_all(keys, length),
        *(cut(x, length) for x in (values, strength, gate, real)),
        cut_all(queries, length),
        cut(read_mask, length),
        strict=False,  # what is not given repeats without end
    )
    for k, v, beta, alpha, are_real, query, are_read in chunks:
        found = torch.zeros_like(v) if F is None or not wanted else read(F, k)
        u, decay, norm = find_writes(
            products(k, k), found, v, beta, rule=rule, gate=alpha, norm=norm, real=are_real
        )
        here = Chunk(F, k, u, decay)
        if query is not None:
            retrieved.append(
                retrieve(here, query, are_read, concat, norm_eps if read_norm else None)
            )
        F = here.end()
        norm = None if norm is None else _refreshed(norm, F)
    return torch.cat(retrieved, 1) if retrieved else None, cast(Tensor, F)


def _refreshed(
    norm: Float[Tensor, " batch"], F: Float[Tensor, "batch *keys value"]
) -> Float[Tensor, " batch"]:
    """‖F‖² as it is, without a chunk's gathered rounding, but with the gradient of what the chunk says it is."""
    return norm + (torch.linalg.vector_norm(F.detach().flatten(1), dim=1).square() - norm).detach()
