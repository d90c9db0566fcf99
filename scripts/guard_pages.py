"""Run the fused kernels with every tensor between unreadable pages, so that reading or writing past an end dies.

    python scripts/guard_pages.py 9000 --json > results/reliability/guard-pages.jsonl
    python scripts/guard_pages.py 1 --only 1234                        # that case again, in this process

What a call is given, its results, what it keeps for the backward, its scratch and all gradients lie in memory of their
own: each ends where an unreadable page begins, then each begins where one ends. Sizes are 0 to 40, most of them 1, 2 or
about a vector's width; forms, masks and states are drawn as `fuzz_ops` draws them. Exit code 1 if a case died or
gave other numbers than in plain memory, beyond rounding.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import mmap
import sys
from collections.abc import Iterator, Sequence

import children
import fuzz_ops
import judge
import op_calls
import torch
from torch import Tensor

from fastweights.kernels import memory as buffers

libc = ctypes.CDLL(None, use_errno=True)
NO_ACCESS = 0


def guarded(shape: Sequence[int], dtype: torch.dtype, *, at_end: bool) -> Tensor:
    """Return an uninitialised tensor that ends, or begins, at a page which can be neither read nor written."""
    size = math.prod(shape) * dtype.itemsize
    page = mmap.PAGESIZE
    inside = -(-max(size, 1) // page) * page
    memory = mmap.mmap(-1, inside + 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for at in (start, start + page + inside):
        if libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(page), NO_ACCESS):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = page + (inside - size if at_end else 0)
    if not size:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(memory, dtype=dtype, count=math.prod(shape), offset=offset).view(shape)


def placed(x: Tensor, *, at_end: bool) -> Tensor:
    """Return a copy between guard pages."""
    return guarded(x.shape, x.dtype, at_end=at_end).copy_(x)


@contextlib.contextmanager
def everything_guarded(*, at_end: bool) -> Iterator[list[int]]:
    """Place what kernels work in, and the gradients that they are given; yield the sizes of the buffers."""
    taken: list[int] = []

    def empty(shape: Sequence[int], like: Tensor) -> Tensor:
        taken.append(math.prod(shape))
        return guarded(shape, like.dtype, at_end=at_end).fill_(float("nan"))

    before = buffers.take, buffers.empty, op_calls.weight
    buffers.take, buffers.empty = lambda size, like: empty((size,), like), empty
    op_calls.weight = lambda *given: placed(before[2](*given), at_end=at_end)
    try:
        yield taken
    finally:
        buffers.take, buffers.empty, op_calls.weight = before


def case(seed: int, number: int) -> children.Found:
    """Run a case of a fused op at either end, forward and backward, and in plain memory."""
    call = op_calls.draw(seed, number, finite=True)
    if next(iter(call.tensors.values())).dtype.itemsize < 4:  # kernels would be given copies
        call = op_calls.as_type(call, torch.float32)
    if "cpu" not in op_calls.backends(call.op):
        return children.Found(0, ())
    plain, wrong = op_calls.run(call, "cpu"), []
    for at_end in (True, False):
        with everything_guarded(at_end=at_end):
            tensors = {name: placed(x, at_end=at_end) for name, x in call.tensors.items()}
            found = op_calls.run(call._replace(tensors=tensors), "cpu")
            wrong += [f"{call.op}: {each}" for each in differences(found, plain)]
            del tensors, found
    return children.Found(2, tuple(wrong))


def differences(found: op_calls.Outcome, plain: op_calls.Outcome) -> list[str]:
    if str(found.error) != str(plain.error):
        return [f"raised {found.error}, in plain memory {plain.error}"]
    pairs = [(name, x, found.found[name]) for name, x in plain.found.items()]
    return [name for name, x, y in pairs if x.numel() and not equal(x, y)]


def equal(x: Tensor, y: Tensor) -> bool:
    """Return whether two results are equal but for rounding: torch's own products go by where a tensor lies."""
    same, numbers = torch.equal(x.isfinite(), y.isfinite()), x.isfinite()
    if not same or not numbers.any():
        return same
    x, y = x[numbers], y[numbers]
    return float((x - y).abs().max()) <= 10 * judge.FLOOR[x.dtype] * float(x.abs().max())


if __name__ == "__main__":
    describe = functools.partial(fuzz_ops.describe, finite=True)
    sys.exit(
        0 if children.all_right("Fused kernels between unreadable pages.", case, describe) else 1
    )
