"""Ways to run `ops.delta_memory`, all on the same data: what `delta_memory` measures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from fastweights import ops
from fastweights.bench import agreement, official
from fastweights.bench.saved import saved_bytes
from fastweights.ops.flops import delta_memory as flops


def ours(device: str = "cpu") -> dict[str, str]:
    """Return the backends by variant; the fused one has the device's name."""
    return {"fused": device, "steps": "reference", "chunked": "chunked"}


class Shape(NamedTuple):
    """Sizes of a memory with two key factors of the values' size, carried over from a segment before or zero."""

    batch: int
    time: int
    size: int = 32
    reads: int = 3
    carried: bool = True

    def __str__(self) -> str:
        start = "carried over" if self.carried else "from zero"
        return f"B{self.batch} T{self.time} d{self.size}, {self.reads} reads, {start}"

    def flops(self) -> int:
        """Count the operations of a forward and backward pass of the fused backend."""
        batch, time, size, reads, carried = self
        return flops(batch, time, size, reads=reads, carried=carried)

    def draw(self, device: str = "cpu") -> tuple[Tensor, Tensor, Tensor | None]:
        """Draw what is written and queried, and the memory carried over, of length 1 or so."""
        batch, time, d, reads, carried = self
        draw = partial(torch.randn, generator=torch.Generator().manual_seed(0))
        written = draw(batch, time, 3 * d + 1).to(device).requires_grad_()
        asked = draw(batch, time, (1 + reads) * d).to(device).requires_grad_()
        return written, asked, draw(batch, d, d, d).to(device) / d**1.5 if carried else None


class Heads(NamedTuple):
    """Sizes of a memory with one key factor: DeltaNet."""

    batch: int
    time: int
    heads: int
    size: int

    def __str__(self) -> str:
        return f"DeltaNet B{self.batch} T{self.time}, {self.heads} heads of {self.size}"

    def flops(self) -> int:
        """Count the operations of a forward and backward pass of the fused backend."""
        return flops(self.batch * self.heads, self.time, self.size, factors=1)


def variants(
    shape: Shape, program: ModuleType | None = None, device: str = "cpu"
) -> dict[str, agreement.Variant]:
    """Build one callable for each way to run the memory of catbAbI's network, all on the same data.

    What is given are the variables that the network writes and asks with, before their nonlinearities; what is
    measured is everything from there to the retrieved vectors, and back.

    Args:
        shape: of the data.
        program: the authors' module (`official.program`), to have "authors" among the variants.
        device: "cpu" or "cuda".

    Returns:
        "fused", "steps" (F written out, step by step: backend reference), "chunked", perhaps "authors": a callable that
        returns what was retrieved [batch, time, size], the memory after the last step, and the gradients of the two
        given tensors.
    """
    written, asked, F = shape.draw(device)
    given = torch.randn(shape.batch, shape.time, shape.size).to(device)
    return {
        name: agreement.both_ways(partial(run, written, asked, F), (written, asked), given)
        for name, run in _memories(shape.size, shape.reads, program, device).items()
    }


def _memories(
    d: int, reads: int, program: ModuleType | None, device: str = "cpu"
) -> dict[str, Callable[..., tuple[Tensor, Tensor]]]:
    """Each way to run the memory: from the variables written and asked with, before their nonlinearities, and F₀."""

    def run(
        backend: str, written: Tensor, asked: Tensor, memory: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        *factors, b = written.split([d, d, d, 1], -1)
        k1, k2, v = (part.tanh() for part in factors)
        n, e = asked.split([d, reads * d], -1)
        retrieved, F = ops.delta_memory(
            (k1, k2),
            v,
            torch.sigmoid(b[..., 0] + 1) / d,
            queries=(n, e.tanh().unflatten(-1, (reads, d))),
            memory=memory,
            gate="norm",
            backend=backend,
        )
        assert retrieved is not None
        return retrieved, F

    built: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {
        name: partial(run, backend) for name, backend in ours(device).items()
    }
    if program is not None:
        built["authors"] = official.Memory(program, d, reads)
    return built


def saved(shape: Shape, program: ModuleType | None = None) -> dict[str, int]:
    """Count the bytes that each way to run the memory keeps for its backward."""
    written, asked, F = shape.draw()
    given = (written, asked) if F is None else (written, asked, F)
    return {
        name: saved_bytes(run(written, asked, F)[0], given)
        for name, run in _memories(shape.size, shape.reads, program).items()
    }


def heads(shape: Heads, device: str = "cpu") -> dict[str, agreement.Variant]:
    """Build one callable for each way to run DeltaNet's recurrence: unit keys, one read, no normalisation."""
    batch, time, count, d = shape
    generator = torch.Generator().manual_seed(0)

    def draw(*last: int) -> Tensor:
        return torch.randn(batch, count, time, *last, generator=generator).to(device)

    k = torch.nn.functional.normalize(draw(d), dim=-1).requires_grad_()
    q = torch.nn.functional.normalize(draw(d), dim=-1).requires_grad_()
    v, beta = draw(d).requires_grad_(), torch.sigmoid(draw()).requires_grad_()

    def memory(backend: str) -> tuple[Tensor, Tensor]:
        retrieved, F = ops.delta_memory(
            (k,), v, beta, queries=(q,), read_norm=False, backend=backend
        )
        assert retrieved is not None
        return retrieved, F

    given = draw(d)
    return {
        name: agreement.both_ways(partial(memory, backend), (k, q, v, beta), given)
        for name, backend in ours(device).items()
    }


def threaded(shape: Shape, threads: int) -> dict[str, agreement.Variant]:
    """Build the fused op on one thread and, as "fused", on as many as given."""
    both_ways = variants(shape)["fused"]

    def on(count: int) -> tuple[Tensor, ...]:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            return tuple(both_ways())
        finally:
            torch.set_num_threads(before)

    return {"fused": partial(on, threads), "one thread": partial(on, 1)}


def decoding(program: ModuleType | None = None) -> dict[str, agreement.Variant]:
    """Build one step of one row from a memory that is not zero, without gradients, for each way to run it."""
    shape = Shape(1, 1)
    written, asked, F = shape.draw()
    return {
        name: torch.inference_mode()(partial(run, written, asked, F))
        for name, run in _memories(shape.size, shape.reads, program).items()
    }
