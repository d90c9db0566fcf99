"""A chunk of time whose writes are known, and what is read in it: attention, and products with F at its start.

See `chunked` for the equations; `momentum` has the same with S beside F.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import layer_norm

from fastweights.ops.delta_memory.combine import products
from fastweights.ops.delta_memory.options import Tensors
from fastweights.ops.tracing import may_look


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
        decay: column 0 for F(0), column i for write i; one row of the batch where all are alike. With momentum it has
            column 1 for S(0), and writes from column 2 on.
        velocity: S(0); None without momentum.
    """

    F: Float[Tensor, "batch *keys value"] | None
    keys: Tensors
    writes: Float[Tensor, "batch chunk value"]
    decay: Float[Tensor, "#batch chunk past"]
    velocity: Float[Tensor, "batch *keys value"] | None = None

    @property
    def first(self) -> int:
        """The column of the first write."""
        return 1 if self.velocity is None else 2

    def find(
        self, query: Tensors, decay: Float[Tensor, "#batch asked past"]
    ) -> Float[Tensor, "batch asked value"]:
        """Return F(t)ᵀ q of queries in factors, each with its step's row of `decay`."""
        attention = products(query, self.keys) * decay[:, :, self.first :]
        if self.F is None:
            return torch.bmm(attention, self.writes)
        found = decay[:, :, :1] * read(self.F, query)
        if self.velocity is not None:
            found = torch.addcmul(found, decay[:, :, 1:2], read(self.velocity, query))
        return torch.baddbmm(found, attention, self.writes)

    def end(
        self, decay: Float[Tensor, "#batch past"] | None = None
    ) -> Float[Tensor, "batch *keys value"]:
        """Return F after the chunk's last step, or what all before and in the chunk makes with another decay."""
        decay = self.decay[:, -1] if decay is None else decay
        added = decay[:, self.first :].unsqueeze(2) * self.writes
        for factor in reversed(self.keys[1:]):
            added = _outer(factor, added)
        added = torch.bmm(self.keys[0].mT, added.flatten(2))
        if self.F is not None:
            added = torch.addcmul(added, decay[:, :1, None], self.F.flatten(2))
        if self.velocity is not None:
            added = torch.addcmul(added, decay[:, 1:2, None], self.velocity.flatten(2))
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


def retrieve(
    here: Chunk,
    queries: Tensors,
    read_mask: Bool[Tensor, "batch chunk"] | None,
    concat: bool,
    norm_eps: float | None,
) -> Float[Tensor, "batch chunk value"]:
    """Return the chain of reads, at every step or at no more than `read_mask` asks for; LN where ε is given."""
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


def cut(x: Tensor | None, length: int | None) -> Iterable[Tensor | None]:
    """Return chunks of some length, or (None) the whole as one."""
    if x is None:
        return repeat(None)
    return (x,) if length is None else x.split(length, 1)


def cut_all(parts: Tensors | None, length: int | None) -> Iterable[Tensors | None]:
    if parts is None:
        return repeat(None)
    return zip(*(cut(part, length) for part in parts), strict=True)
