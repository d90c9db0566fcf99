"""Chunks of time with momentum: S = η S + u kᵀ and F = α F + S, so a write goes on adding to F after its own step.

With A(t, j) the product of α after step j up to t, and H(j, i) that of η, what write i is to F after step t, and S(0),

    c(t, i) = Σ_{i ≤ j ≤ t} A(t, j) H(j, i)          c(t, S) = Σ_{1 ≤ j ≤ t} A(t, j) H(j, 0)

which takes the place of the decay A(t, i) in the chunked form: two products of triangular matrices, whose entries are
products of factors, so a factor of 0 is as good as any. What step t finds is α_t F(t-1), the same sums without j = t.
Where α is a number for each feature, A and H meet the keys: `momentum_channels`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fastweights.ops.delta_memory import momentum_channels, reference
from fastweights.ops.delta_memory.chunk import Chunk, cut, cut_all, pick_chunk, read, retrieve
from fastweights.ops.delta_memory.combine import products
from fastweights.ops.delta_memory.decay import decay_kind, spans
from fastweights.ops.delta_memory.options import Inputs, MomentumState, Options, Tensors
from fastweights.ops.tracing import is_onnx, is_open


def run(
    inputs: Inputs, options: Options
) -> tuple[
    Float[Tensor, "batch time value"] | None, Float[Tensor, "batch *keys value"] | MomentumState
]:
    """Return what is retrieved at every step, and the state after the last; there is a step at least."""
    time = inputs.values.shape[1]
    if is_onnx() or is_open(time) or time == 1:  # no triangular systems, or no chunks to speak of
        return reference.run(inputs, options)
    if decay_kind(inputs.gate, inputs.values) == "channels":
        return momentum_channels.run(inputs, options)
    keys, values, strength, queries, _, gate, real, read_mask, erase, eta, _ = inputs
    assert eta is not None
    concat = options.combine == "concat" and len(keys) == 2
    F, S = reference.beginning(inputs, options)
    if concat:
        keys = (torch.cat(keys, 2),)
    length = pick_chunk(time, len(keys)) if options.chunk is None else options.chunk
    chunks = zip(
        cut_all(keys, length),
        *(cut(x, length) for x in (values, strength, gate, eta, real, erase)),
        cut_all(queries, length),
        cut(read_mask, length),
        strict=False,  # what is not given repeats without end
    )
    retrieved = []
    for k, v, beta, alpha, eta_here, are_real, e, query, are_read in chunks:
        decays = _decays(alpha, eta_here, are_real)
        u = beta.unsqueeze(2) * v
        if e is not None:
            u = _solve(u, (e,), k, F, S, decays.found)
        elif options.rule == "delta":
            u = _solve(u, (beta.unsqueeze(2) * k[0], *k[1:]), k, F, S, decays.found)
        here = Chunk(F, k, u, decays.after, S)
        if query is not None:
            eps = options.norm_eps if options.read_norm else None
            retrieved.append(retrieve(here, query, are_read, concat, eps))
        F, S = here.end(), here.end(decays.velocity)
    return torch.cat(retrieved, 1) if retrieved else None, MomentumState(F, S)


class _Decays(NamedTuple):
    """Weights of F(0), S(0) and each write: columns 0, 1 and those behind.

    Attributes:
        found: in what a step finds, α_t F(t-1).
        after: in F after it.
        velocity: in S after the last.
    """

    found: Float[Tensor, "batch chunk past"]
    after: Float[Tensor, "batch chunk past"]
    velocity: Float[Tensor, "batch past"]


def _decays(
    gate: Float[Tensor, "batch chunk"] | None,
    eta: Float[Tensor, "batch chunk"],
    real: Bool[Tensor, "batch chunk"] | None,
) -> _Decays:
    A, H = spans(torch.ones_like(eta) if gate is None else gate)[:, 1:], spans(eta)
    of_F, A, rest = A[:, :, :1], A[:, :, 1:], H[:, 1:]
    if real is not None:
        A = A * real.unsqueeze(1)  # a padded step adds no S to F
    found, after = A.tril(-1) @ rest, A @ rest
    return _Decays(
        torch.cat((of_F, found), 2),
        torch.cat((of_F, after), 2),
        torch.cat((torch.zeros_like(of_F[:, -1]), rest[:, -1]), 1),
    )


def _solve(
    written: Float[Tensor, "batch chunk value"],
    erase: Tensors,
    keys: Tensors,
    F: Float[Tensor, "batch *keys value"],
    S: Float[Tensor, "batch *keys value"],
    found: Float[Tensor, "batch chunk past"],
) -> Float[Tensor, "batch chunk value"]:
    """Return u = β v − (α F) e, given β v and e in factors: a triangular system, since earlier u are in F."""
    rest = written - found[:, :, :1] * read(F, erase) - found[:, :, 1:2] * read(S, erase)
    system = found[:, :, 2:] * products(erase, keys)
    return torch.linalg.solve_triangular(system, rest, upper=False, unitriangular=True)
