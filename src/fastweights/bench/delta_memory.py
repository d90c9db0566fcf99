"""`ops.delta_memory`, forward and backward: fused beside eager PyTorch, the authors' code, and the machine's limit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights import ops
from fastweights.bench import agreement, machine, official, timing, training_step
from fastweights.bench.measure import Note, measure
from fastweights.bench.saved import saved_bytes

NAME = "delta-memory"
TIME = "growth with time"
CHECKED = {
    "fused": "ops.delta_memory, backend cpu",
    "steps": "step by step, F written out, eager (backend reference)",
    "chunked": "exact chunks, eager (backend chunked)",
    "authors": "the published catbAbI code, from a checkout",
}
OURS = {"fused": "cpu", "steps": "reference", "chunked": "chunked"}


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

    def draw(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Draw what is written and asked, and the memory carried over, of length 1 or so."""
        batch, time, d, reads, carried = self
        draw = partial(torch.randn, generator=torch.Generator().manual_seed(0))
        written = draw(batch, time, 3 * d + 1).requires_grad_()
        asked = draw(batch, time, (1 + reads) * d).requires_grad_()
        return written, asked, draw(batch, d, d, d) / d**1.5 if carried else None


class Heads(NamedTuple):
    """Sizes of a memory with one key factor: DeltaNet."""

    batch: int
    time: int
    heads: int
    size: int

    def __str__(self) -> str:
        return f"DeltaNet B{self.batch} T{self.time}, {self.heads} heads of {self.size}"


MAIN = Shape(64, 200)
ZERO = MAIN._replace(carried=False)
SIZES = (MAIN, ZERO, MAIN._replace(batch=16), ZERO._replace(batch=16))
GROWTH = tuple(Shape(16, time) for time in (200, 400, 800, 1600))
WIDTHS = tuple(Shape(16, 200, size) for size in (16, 32, 64))
DELTANET = Heads(8, 1024, 4, 64)
NOTES = {
    MAIN: Note(
        {"steps": 3054, "chunked": 471, "authors": 8439, "fused": 131},
        {"steps": 20, "authors": 55},
    ),
    ZERO: Note({"fused": 82}, {"authors": 100}),
    DELTANET: Note(goals={"steps": 10}),
}


class Case(NamedTuple):
    """One measurement.

    Attributes:
        group: the table it belongs to.
        title: what is measured.
        build: makes the variants.
        truth: the variant that the others are held against.
        flops: of one call of the fused variant; None where they are not counted.
        note: what is known beforehand, and what there is to reach.
        saved: measures what the variants keep for the backward, in bytes; None: not measured.
    """

    group: str
    title: str
    build: Callable[[], dict[str, agreement.Variant]]
    truth: str = "steps"
    flops: int | None = None
    note: Note = Note()
    saved: Callable[[], dict[str, int]] | None = None


def cases(program: Any = None) -> Iterator[Case]:
    """List what is measured; with the authors' module, theirs beside ours where it does the same."""
    for shape in SIZES:
        build = partial(variants, shape, program)
        note = NOTES.get(shape, Note())
        kept = partial(saved, shape, program)
        yield Case("memory", str(shape), build, flops=flops(shape), note=note, saved=kept)
    step = training_step
    for shape in (step.Shape(64, 200), step.Shape(16, 200)):
        large = shape.batch == 64
        backends = {
            "fused": ("auto", "torch"),
            "chunked": ("chunked", "torch"),
            "steps": ("reference", "torch"),
        }
        note = Note(
            {"steps": 3210, "chunked": 685, "authors": 8750, "fused": 350}
            if large
            else {"steps": 598, "chunked": 185, "authors": 2195, "fused": 93},
            {"authors": 22} if large else {},
        )
        build = partial(step.variants, shape, backends, program)
        yield Case("training step, torch.nn.LSTM", str(shape), build, note=note)
        backends = {"fused": ("auto", "auto"), "torch-lstm": ("auto", "torch")}
        note = Note(goals={"authors": 35} if large else {})
        build = partial(step.variants, shape, backends, program)
        yield Case("training step, fused LSTM", str(shape), build, truth="torch-lstm", note=note)
    for shape in GROWTH:
        yield Case(TIME, str(shape), partial(variants, shape), flops=flops(shape))
    for shape in WIDTHS:
        yield Case("growth with size", str(shape), partial(variants, shape), flops=flops(shape))
    note = NOTES[DELTANET]
    yield Case(
        "one key factor", str(DELTANET), partial(heads, DELTANET), flops=flops(DELTANET), note=note
    )
    yield Case(
        "two threads",
        str(MAIN),
        partial(threaded, MAIN, 2),
        "one thread",
        note=Note(goals={"one thread": 1.7}),
    )
    yield Case("decoding", "one step of one row", partial(decoding, program))


def variants(shape: Shape, program: Any = None) -> dict[str, agreement.Variant]:
    """Build one callable for each way to run the memory of catbAbI's network, all on the same data.

    What is given are the variables that the network writes and asks with, before their nonlinearities; what is
    measured is everything from there to the retrieved vectors, and back.

    Args:
        shape: of the data.
        program: the authors' module (`official.program`), to have "authors" among the variants.

    Returns:
        By the names of `CHECKED`: a callable that returns what was retrieved [batch, time, size], the memory after the
        last step, and the gradients of the two given tensors.
    """
    written, asked, F = shape.draw()
    given = torch.randn(shape.batch, shape.time, shape.size)
    return {
        name: _both_ways(partial(run, written, asked, F), (written, asked), given)
        for name, run in _memories(shape.size, shape.reads, program).items()
    }


def _memories(d: int, reads: int, program: Any) -> dict[str, Callable[..., tuple[Tensor, Tensor]]]:
    """Each way to run the memory: from the variables written and asked with, before their nonlinearities, and F₀."""

    def ours(
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
        name: partial(ours, backend) for name, backend in OURS.items()
    }
    if program is not None:
        built["authors"] = official.Memory(program, d, reads)
    return built


def saved(shape: Shape, program: Any = None) -> dict[str, int]:
    """Count the bytes that each way to run the memory keeps for its backward."""
    written, asked, F = shape.draw()
    given = (written, asked) if F is None else (written, asked, F)
    return {
        name: saved_bytes(run(written, asked, F)[0], given)
        for name, run in _memories(shape.size, shape.reads, program).items()
    }


def heads(shape: Heads) -> dict[str, agreement.Variant]:
    """Build one callable for each way to run DeltaNet's recurrence: unit keys, one read, no normalisation."""
    batch, time, count, d = shape
    draw = partial(torch.randn, batch, count, time, generator=torch.Generator().manual_seed(0))
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
        name: _both_ways(partial(memory, backend), (k, q, v, beta), given)
        for name, backend in OURS.items()
    }


def _both_ways(
    run: Callable[[], tuple[Tensor, Tensor]],
    leaves: tuple[Tensor, ...],
    given: Float[Tensor, ...],
) -> agreement.Variant:
    def call() -> tuple[Tensor, ...]:
        retrieved, F = run()
        return retrieved, F, *torch.autograd.grad(retrieved, leaves, given)

    return call


def threaded(shape: Shape, threads: int) -> dict[str, agreement.Variant]:
    """Build the fused op on one thread and, as "fused", on as many as given."""
    both_ways = variants(shape)["fused"]

    def on(count: int) -> tuple[Tensor, ...]:
        torch.set_num_threads(count)
        return tuple(both_ways())

    return {"fused": partial(on, threads), "one thread": partial(on, 1)}


def decoding(program: Any = None) -> dict[str, agreement.Variant]:
    """Build one step of one row from a memory that is not zero, without gradients, for each way to run it."""
    written, asked, F = MAIN._replace(batch=1, time=1).draw()
    return {
        name: torch.inference_mode()(partial(run, written, asked, F))
        for name, run in _memories(MAIN.size, MAIN.reads, program).items()
    }


def flops(shape: Shape | Heads) -> int:
    """Count the floating-point operations of a forward and backward pass, as `cpu_count.flops` counts them.

    In chunks as the fused op takes them; only what is retrieved has a gradient, and the memory carried over needs none.

    Example:
        >>> flops(Shape(batch=1, time=1, size=2, reads=1, carried=False))
        60
    """
    from fastweights.ops.delta_memory import cpu, cpu_count

    d = shape.size
    factors, reads = (2, shape.reads) if isinstance(shape, Shape) else (1, 1)
    carried = isinstance(shape, Shape) and shape.carried
    rows = shape.batch if isinstance(shape, Shape) else shape.batch * shape.heads
    return rows * cpu_count.flops(
        shape.time,
        outer=d if factors == 2 else 0,
        inner=d,
        value=d,
        reads=reads,
        chunk=cpu.pick_chunk(shape.time, d**factors, empty=not carried, owing=False),
        carried=carried,
    )


def run(
    *,
    threads: int = 1,
    repeats: int = 5,
    authors: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure the memory alone, a whole training step, growth with time and size, threads, and decoding.

    Args:
        threads: threads of torch and of the fused op.
        repeats: rounds of measurement; every variant is measured once in each.
        authors: a checkout of the authors' repository, timed beside ours; None leaves it out.
        progress: called with a line before each case.

    Returns:
        A row for each case: `benchmark`, `group`, what `measure` says of it, and for the memory alone `saved_bytes` (by
        variant, what autograd keeps for the backward).

    Raises:
        UserError: if the fused op cannot run here, the checkout is none, or for threads or repeats below 1.
    """
    with contextlib.ExitStack() as opened:
        program = None if authors is None else opened.enter_context(official.program(authors))
        opened.enter_context(timing.quiet(threads))
        here = machine.describe(threads)
        rows = []
        for case in cases(program):
            if progress:
                progress(f"{case.group}: {case.title}")
            built = case.build()
            row = measure(
                case.title,
                built,
                {},
                here,
                truth=case.truth,
                flops=case.flops,
                note=case.note,
                repeats=repeats,
            )
            rows.append({"benchmark": NAME, "group": case.group, **row})
            if case.saved:
                rows[-1]["saved_bytes"] = case.saved()
    return rows


def growth(rows: Sequence[Mapping[str, Any]]) -> tuple[list[int], dict[str, list[float]]]:
    """Take the lengths measured, and each variant's milliseconds at all of them, out of the rows of `run`."""
    rows = [row for row in rows if row["group"] == TIME]
    names = set.intersection(*(set(row["milliseconds"]) for row in rows)) if rows else set()
    lengths = [shape.time for shape in GROWTH][: len(rows)]
    return lengths, {
        name: [row["milliseconds"][name] for row in rows] for name in CHECKED if name in names
    }
