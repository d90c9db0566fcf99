"""`ops.delta_memory`, forward and backward: fused beside eager PyTorch, the authors' code, and the machine's limit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from fastweights.bench import agreement, memories, peers, training_step
from fastweights.bench import official as published
from fastweights.bench.measure import Case, Note, measure_all
from fastweights.bench.memories import Heads, Shape
from fastweights.bench.report import recurrence_table
from fastweights.bench.subject import (
    DEVICE,
    OFFICIAL,
    Bench,
    Option,
    Progress,
    Row,
    Rows,
    check_official,
    device_of,
    silent,
)
from fastweights.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIME = "growth with time"
NAMES = {"fused": "fused", "steps": "step by step", "chunked": "chunked", "authors": "published"}
"""Names of the variants in a figure."""

MAIN = Shape(64, 200)
ZERO = MAIN._replace(carried=False)
SIZES = (MAIN, ZERO, MAIN._replace(batch=16), ZERO._replace(batch=16))
GROWTH = tuple(Shape(16, time) for time in (200, 400, 800, 1600))
WIDTHS = tuple(Shape(16, 200, size) for size in (16, 32, 64))
DELTANET = Heads(8, 1024, 4, 64)
HEADS = (DELTANET, Heads(16, 2048, 4, 64), Heads(16, 2048, 4, 128))
NOTES = {
    MAIN: Note(
        {"steps": 3054, "chunked": 471, "authors": 8439, "fused": 131}, {"steps": 20, "authors": 55}
    ),
    ZERO: Note({"fused": 82}, {"authors": 100}),
    DELTANET: Note(goals={"steps": 10}),
}


LSTMS = {"fused": ("auto", "auto"), "torch-lstm": ("auto", "torch")}
MEMORIES = {
    "fused": ("auto", "torch"),
    "chunked": ("chunked", "torch"),
    "steps": ("reference", "torch"),
}
"""Backends of the memory and of the LSTM before it, by variant of a training step."""
ON_CUDA = MEMORIES | {"fused": ("cuda", "torch")}


def cases(program: ModuleType | None = None) -> Iterator[Case]:
    """List what is measured; with the authors' module, theirs beside ours where it does the same."""
    for shape in SIZES:
        build = partial(memories.variants, shape, program)
        kept = partial(memories.saved, shape, program)
        yield _case("memory", shape, build, NOTES.get(shape, Note()), saved=kept)
    step = training_step
    for shape in (step.Shape(64, 200), step.Shape(16, 200)):
        large = shape.batch == 64
        note = Note(
            {"steps": 3210, "chunked": 685, "authors": 8750, "fused": 350}
            if large
            else {"steps": 598, "chunked": 185, "authors": 2195, "fused": 93},
            {"authors": 22} if large else {},
        )
        build = partial(step.variants, shape, MEMORIES, program)
        yield _case("training step, torch.nn.LSTM", shape, build, note)
        note = Note(goals={"authors": 35} if large else {})
        build = partial(step.variants, shape, LSTMS, program)
        yield _case("training step, fused LSTM", shape, build, note, truth="torch-lstm")
    # catbAbI as it is trained: one word in 28 is an answer.
    shape = step.Shape(32, 200, asked=0.035)
    build, note = partial(step.variants, shape, LSTMS), Note({"fused": 83, "torch-lstm": 150})
    yield _case("training step, answers only", shape, build, note, truth="torch-lstm")
    for group, shapes in ((TIME, GROWTH), ("growth with size", WIDTHS)):
        for shape in shapes:
            yield _case(group, shape, partial(memories.variants, shape))
    yield _case("one key factor", DELTANET, partial(memories.heads, DELTANET), NOTES[DELTANET])
    build, note = partial(memories.threaded, MAIN, 2), Note(goals={"one thread": 1.7})
    yield _case("two threads", str(MAIN), build, note, truth="one thread")
    yield _case("decoding", "one step of one row", partial(memories.decoding, program))


def cases_on_cuda() -> Iterator[Case]:
    """List what is measured on the device: the ops alone, and training steps with and without a graph."""
    for shape in SIZES:
        yield _case("memory", shape, partial(memories.variants, shape, device="cuda"))
    for shape in HEADS:
        build, time = partial(memories.heads, shape, device="cuda"), shape.time
        flash = partial(peers.flash, "delta rule", shape.batch, time, shape.heads, shape.size)
        yield _case("one key factor", shape, build, others=flash)
    step = training_step
    for shape in (step.Shape(64, 200), step.Shape(32, 200, asked=0.035)):
        build = partial(step.variants, shape, ON_CUDA, device="cuda")
        graph = partial(step.graphed, shape, ON_CUDA["fused"])
        yield _case("training step", shape, build, others=graph)


def _case(
    group: str,
    subject: Shape | Heads | training_step.Shape | str,
    build: Callable[[], dict[str, agreement.Variant]],
    note: Note = Note(),  # noqa: B008  (immutable)
    *,
    truth: str = "steps",
    saved: Callable[[], dict[str, int]] | None = None,
    others: Callable[[], dict[str, Callable[[], object]]] = dict,
) -> Case:
    counted = subject.flops() if isinstance(subject, Shape | Heads) else None
    about, line = {"group": group}, f"{group}: {subject}"
    return Case(str(subject), build, truth, counted, note, about, line, others, saved)


def run(
    *,
    threads: int = 1,
    repeats: int = 5,
    official: Path | None = None,
    only: str | None = None,
    device: str | None = None,
    progress: Progress = silent,
) -> list[Row]:
    """Measure the memory alone, a whole training step, growth with time and size, threads, and decoding.

    Args:
        official: a checkout of the authors' repository, timed beside ours; None leaves it out.
        only: measure only the cases of whose group and title ("group: title") this is a part; * stands for anything.
        device: "cpu" (None), or "cuda", where the ops alone are measured, and training steps with and without a graph.
        threads, repeats, progress: as of every `Bench.run`.

    Returns:
        A row for each case: `benchmark`, `group`, and what `measure` says of it.

    Raises:
        UserError: if the fused op cannot run here, the checkout is none, no case matches, or for threads or repeats
            below 1.
    """
    with contextlib.ExitStack() as opened:
        program, where = None, device_of(device)
        check_official(official, where)
        if official is not None:
            program = opened.enter_context(published.program(official))
        listed = cases(program) if where == "cpu" else cases_on_cuda()
        chosen = [c for c in listed if fnmatchcase(c.progress, f"*{only or ''}*")]
        if not chosen:
            raise UserError(f"no case of the benchmark matches {only!r}")
        return measure_all(
            "delta-memory",
            chosen,
            threads=threads,
            repeats=repeats,
            progress=progress,
            device=where,
        )


def growth(rows: Rows) -> Figure:
    """Draw the milliseconds of each variant that was measured at all lengths.

    Raises:
        UserError: if growth with time was not measured.
    """
    from fastweights import figures

    rows = [row for row in rows if row["group"] == TIME]
    if not rows:
        raise UserError("the figure shows growth with time, which --only has left out")
    shared = set.intersection(*(set(row["milliseconds"]) for row in rows))
    names = [name for name in NAMES if name in shared]
    milliseconds = {name: [row["milliseconds"][name] for row in rows] for name in names}
    return figures.growth([shape.time for shape in GROWTH][: len(rows)], milliseconds, names=NAMES)


BENCH = Bench(
    "delta-memory",
    "the fused memory alone, a whole training step, growth with time and size, threads, decoding.",
    run,
    recurrence_table,
    repeats=5,
    options=(
        OFFICIAL,
        DEVICE,
        Option(
            "only",
            str | None,
            None,
            'measure only cases of whose name this is a part, such as "answers only".',
        ),
    ),
    figure=growth,
)
