"""The memory in chunks of time: F made only at their borders, all else from inner products of the factors.

Inside a chunk that starts with F(0), write i ≥ 1 adds k_i u_iᵀ, and decay(t, i) is the product of the gates and clamps
that have acted on it after step t; decay(t, 0) of those on F(0). So

    F(t)ᵀ q = decay(t, 0) F(0)ᵀ q + Σ_i≤t decay(t, i) ⟨k_i, q⟩ u_i

is attention over the chunk beside one product with F(0), for all t at once; and ⟨k1 ⊗ k2, n ⊗ e⟩ = ⟨k1, n⟩ ⟨k2, e⟩, so
no key of size k1 · k2 is made. `writes` finds the u and the decay.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import NamedTuple, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import layer_norm

from fastweights.ops.delta_memory import channels, reference
from fastweights.ops.delta_memory.combine import products
from fastweights.ops.delta_memory.decay import decay_kind
from fastweights.ops.delta_memory.options import Inputs, Options, Tensors
from fastweights.ops.delta_memory.writes import find_writes
from fastweights.ops.tracing import is_onnx, is_open, may_look


def run(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch time value"] | None, Float[Tensor, "batch *keys value"]]:
    """Return what is retrieved at every step, and the memory after the last; there is a step at least."""
    keys, values, strength, queries, memory, gate, real, read_mask, erase = inputs
    if erase is not None or decay_kind(gate, values) == "channels":
        return channels.run(inputs, options)
    rule, clamp, combine, read_norm, norm_eps, chunk = options
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
        _cut_all(keys, length),
        *(_cut(x, length) for x in (values, strength, gate, real)),
        _cut_all(queries, length),
        _cut(read_mask, length),
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
                _retrieve(here, query, are_read, concat, norm_eps if read_norm else None)
            )
        F = here.end()
        norm = None if norm is None else _refreshed(norm, F)
    return torch.cat(retrieved, 1) if retrieved else None, cast(Tensor, F)


def pick_chunk(time: int, factors: int) -> int:
    """Return the length of chunks: as equal as can be, of about 48 steps, or 32 where one factor makes F small.

    Measured with F of 32 × 32 × 32 and of 64 × 64; half or twice as long costs a tenth to a quarter more.
    """
    return -(-time // max(1, round(time / (48 if factors == 2 else 32))))


class Chunk(NamedTuple):
    """A chunk whose writes are known.

    Attributes:
        F: F(0); None for zeros.
        keys: the factors of each step's key.
        writes: u.
        decay: column 0 for F(0), column i for write i; one row of the batch where all are alike.
    """

    F: Float[Tensor, "batch *keys value"] | None
    keys: Tensors
    writes: Float[Tensor, "batch chunk value"]
    decay: Float[Tensor, "#batch chunk past"]

    def find(
        self, query: Tensors, decay: Float[Tensor, "#batch asked past"]
    ) -> Float[Tensor, "batch asked value"]:
        """Return F(t)ᵀ q of queries in factors, each with its step's row of `decay`."""
        attention = products(query, self.keys) * decay[:, :, 1:]
        if self.F is None:
            return torch.bmm(attention, self.writes)
        return torch.baddbmm(decay[:, :, :1] * read(self.F, query), attention, self.writes)

    def end(self) -> Float[Tensor, "batch *keys value"]:
        """Return F after the chunk's last step."""
        decay = self.decay[:, -1]
        added = decay[:, 1:].unsqueeze(2) * self.writes
        for factor in reversed(self.keys[1:]):
            added = _outer(factor, added)
        added = torch.bmm(self.keys[0].mT, added.flatten(2))
        if self.F is not None:
            added = torch.addcmul(added, decay[:, :1, None], self.F.flatten(2))
        sizes = (factor.shape[2] for factor in self.keys)
        return added.view(added.shape[0], *sizes, self.writes.shape[2])


def read(
    F: Float[Tensor, "batch *keys value"], query: Tensors
) -> Float[Tensor, "batch asked value"]:
    """Return Fᵀ q of queries in as many factors as F has key dimensions, one factor after the other."""
    found = torch.bmm(query[0], F.flatten(2))
    if len(query) == 1:
        return found
    batch, asked, size = query[1].shape
    found = torch.bmm(query[1].reshape(-1, 1, size), found.view(batch * asked, size, -1))
    return found.view(batch, asked, -1)


def _outer(
    k: Float[Tensor, "batch chunk key"], u: Float[Tensor, "batch chunk value"]
) -> Float[Tensor, "batch chunk key value"]:
    """k uᵀ at every step, as a product: its gradient makes no third tensor of that size."""
    product = torch.bmm(k.reshape(-1, k.shape[2], 1), u.reshape(-1, 1, u.shape[2]))
    return product.view(*k.shape, -1)


def _retrieve(
    here: Chunk,
    queries: Tensors,
    read_mask: Bool[Tensor, "batch chunk"] | None,
    concat: bool,
    norm_eps: float | None,
) -> Float[Tensor, "batch chunk value"]:
    """The chain of reads, at every step or at no more than `read_mask` asks for; LN where ε is given."""
    decay, steps = here.decay, None
    if read_mask is not None and may_look(read_mask):
        most = int(read_mask.sum(1).max())
        if most == 0:
            return torch.zeros_like(here.writes)
        steps = read_mask.byte().argsort(dim=1, descending=True, stable=True)[:, :most]
        decay = _take(decay.expand(steps.shape[0], -1, -1), steps)
        queries = tuple(_take(part, steps) for part in queries)
        read_mask = read_mask.gather(1, steps)
    n, *links = queries
    for link in links[0].unbind(2) if links else (None,):
        query = (n,) if link is None else (n, link)
        n = here.find((torch.cat(query, 2),) if concat else query, decay)
        if norm_eps is not None:
            n = layer_norm(n, n.shape[-1:], eps=norm_eps)
    if read_mask is not None:
        n = n.masked_fill(~read_mask.unsqueeze(2), 0)
    if steps is not None:
        n = torch.zeros_like(here.writes).scatter(1, steps.unsqueeze(2).expand_as(n), n)
    return n


def _take(x: Tensor, steps: Tensor) -> Tensor:
    """The chosen steps of each row."""
    index = steps.reshape(*steps.shape, *(1,) * (x.dim() - 2))
    return x.gather(1, index.expand(-1, -1, *x.shape[2:]))


def _refreshed(
    norm: Float[Tensor, " batch"], F: Float[Tensor, "batch *keys value"]
) -> Float[Tensor, " batch"]:
    """‖F‖² as it is, without a chunk's gathered rounding, but with the gradient of what the chunk says it is."""
    return norm + (torch.linalg.vector_norm(F.detach().flatten(1), dim=1).square() - norm).detach()


def _cut(x: Tensor | None, length: int | None) -> Iterable[Tensor | None]:
    """Return chunks of some length, or (None) the whole as one."""
    if x is None:
        return repeat(None)
    return (x,) if length is None else x.split(length, 1)


def _cut_all(parts: Tensors | None, length: int | None) -> Iterable[Tensors | None]:
    if parts is None:
        return repeat(None)
    return zip(*(_cut(part, length) for part in parts), strict=True)
