"""Chunks of time with momentum where α is a number for each feature of the key, or e comes with such an α.

F and S side by side pass a matrix of two rows for each feature, so the products by halves (`channels`) become those of

    M_t = [[α_t, η_t], [0, η_t]]        row of a read (1, 0), column of a write (1, 1)

with η_t above the diagonal 0 where a step is padded: that one adds no S to F. Only products and sums of products.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.delta_memory import reference
from fastweights.ops.delta_memory.channels import CHUNK, arrays, blocks, finish, joined, twice
from fastweights.ops.delta_memory.chunk import cut
from fastweights.ops.delta_memory.options import Inputs, MomentumState, Options


def run(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch time value"] | None, MomentumState]:
    """Return what is retrieved at every step, and the state after the last; there is a step at least."""
    F, S = reference.beginning(inputs, options)
    eta = inputs.momentum
    assert eta is not None
    mixed = eta if inputs.mask is None else eta * inputs.mask
    length = min(inputs.values.shape[1], options.chunk or CHUNK)
    parts = (*arrays(inputs, options), eta, mixed)
    retrieved = []
    for k, v, a, e, q, h, m in zip(*(cut(x, length) for x in parts), strict=False):
        assert k is not None and v is not None and a is not None and h is not None and m is not None
        (erased, read), end = star(k, a, h.unsqueeze(2), m.unsqueeze(2), e, q)
        u = v
        if erased is not None:
            rest = v - erased.find(F, S)
            u = torch.linalg.solve_triangular(erased.pairs, rest, upper=False, unitriangular=True)
        if read is not None:
            retrieved.append(read.find(F, S) + read.pairs @ u)
        F, S = end.after(F, S, u)
    state = MomentumState(F, S)
    return (finish(torch.cat(retrieved, 1), inputs, options) if retrieved else None), state


class Rows(NamedTuple):
    """Erase keys or queries of a chunk.

    Attributes:
        keys: they.
        pairs: their products with the keys of writes, of earlier ones or up to their own.
        of_F, of_S: the row of the matrix from the chunk's start to each step.
    """

    keys: Float[Tensor, "batch chunk key"]
    pairs: Float[Tensor, "batch chunk chunk"]
    of_F: Float[Tensor, "batch chunk key"]
    of_S: Float[Tensor, "batch chunk key"]

    def find(
        self, F: Float[Tensor, "batch key value"], S: Float[Tensor, "batch key value"]
    ) -> Float[Tensor, "batch chunk value"]:
        """Return what they find of F and S at the chunk's start."""
        return (self.keys * self.of_F) @ F + (self.keys * self.of_S) @ S


class End(NamedTuple):
    """How F and S at a chunk's end follow from those at its start and the writes.

    Attributes:
        of_F, of_S: F at the chunk's end, by what stood at its start.
        fading: S at its end, by S.
        to_F, to_S: each key, as its write counts in F and in S at the end.
    """

    of_F: Float[Tensor, "batch key 1"]
    of_S: Float[Tensor, "batch key 1"]
    fading: Float[Tensor, "batch 1 1"]
    to_F: Float[Tensor, "batch chunk key"]
    to_S: Float[Tensor, "batch chunk key"]

    def after(self, F: Tensor, S: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return them, given those at its start and what is written."""
        after = self.of_F * F + self.of_S * S + self.to_F.mT @ u
        return after, self.fading * S + self.to_S.mT @ u


class _Row(NamedTuple):
    """Rows of one kind while blocks grow: those keys, their pairs, and (p, r), the row from the block's start."""

    x: Tensor
    pairs: Tensor
    p: Tensor
    r: Tensor

    def grown(self, column: Tensor, P: Tensor, R: Tensor, H: Tensor) -> _Row:
        """Return the rows in blocks of twice the steps, given the columns and matrices of the first halves."""
        x, pairs, p, r = self
        corner = torch.cat((x * p, x * r), 3)[:, 1::2] @ column
        r = torch.cat((r[:, 0::2], p[:, 1::2] * R + r[:, 1::2] * H), 2)
        p = torch.cat((p[:, 0::2], p[:, 1::2] * P), 2)
        return _Row(twice(x), joined(pairs, corner), p, r)

    def of(self, steps: int) -> Rows:
        """Return the rows of so many steps, all in one block."""
        x, pairs, p, r = (z[:, 0, :steps] for z in self)
        return Rows(x, pairs[:, :, :steps], p, r)


def star(
    keys: Float[Tensor, "batch chunk key"],
    gate: Float[Tensor, "batch chunk key"],
    eta: Float[Tensor, "batch chunk 1"],
    mixed: Float[Tensor, "batch chunk 1"],
    erase: Float[Tensor, "batch chunk key"] | None,
    query: Float[Tensor, "batch chunk key"] | None,
) -> tuple[tuple[Rows | None, Rows | None], End]:
    """Return the products by halves, of erase keys and of queries, and the end; `mixed` stands above M's diagonal."""
    steps = keys.shape[1]
    more = (1 << (steps - 1).bit_length()) - steps
    k, P = blocks(keys, more), blocks(gate, more, 1.0)
    R, H = blocks(mixed, more).expand_as(P), blocks(eta, more, 1.0)
    c, d = torch.ones_like(P), torch.ones_like(P)
    rows = list[_Row | None]()
    for x, r in ((erase, torch.zeros_like(R)), (query, R)):
        if x is None:
            rows.append(None)
            continue
        x = blocks(x, more)
        pairs = (k * x).sum(3, keepdim=True)
        rows.append(_Row(x, pairs if r is R else torch.zeros_like(pairs), P, r))
    while k.shape[1] > 1:
        (P1, R1, H1), (P2, R2, H2) = ([z[:, half::2] for z in (P, R, H)] for half in (0, 1))
        column = torch.cat((k * c, k * d), 3)[:, 0::2].mT
        rows = [row and row.grown(column, P1, R1, H1) for row in rows]
        c, d = (
            torch.cat((P2 * c[:, 0::2] + R2 * d[:, 0::2], c[:, 1::2]), 2),
            torch.cat((H2 * d[:, 0::2], d[:, 1::2]), 2),
        )
        P, R, H, k = P2 * P1, P2 * R1 + R2 * H1, H2 * H1, twice(k)
    erased, read = (row and row.of(steps) for row in rows)
    to_F, to_S = ((keys * z[:, 0, :steps]) for z in (c, d))
    return (erased, read), End(P[:, 0].mT, R[:, 0].mT, H[:, 0].mT, to_F, to_S)
