"""A small kernel: a b for square matrices, row by row of the batch."""

import torch

from fastweights.kernels.triton import launch
from fastweights.kernels.triton.language import Number, Pointer, constexpr, dot, kernel, tl


@kernel
def product(a: Pointer, b: Pointer, out: Pointer, size: Number, S: constexpr, P: constexpr):
    row = tl.program_id(0).to(tl.int64) * size * size
    line = tl.arange(0, S)
    inside = (line[:, None] < size) & (line[None, :] < size)
    place = row + line[:, None] * size + line[None, :]
    tile = dot(tl.load(a + place, inside, 0.0), tl.load(b + place, inside, 0.0), P)
    tl.store(out + place, tile, inside)


def multiply(a: torch.Tensor, b: torch.Tensor, precision: str | None = None) -> torch.Tensor:
    out, size = torch.empty_like(a), a.shape[1]
    constants = {"S": launch.side(size), "P": precision or launch.precision(a.dtype)}
    launch.launch(product, (a.shape[0],), a, b, out, size, warps=1, **constants)
    return out
