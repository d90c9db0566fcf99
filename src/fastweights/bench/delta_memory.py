"""`ops.delta_memory`, forward and backward: fused beside eager PyTorch, the authors' code, and the machine's limit."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from fastweights.bench import agreement, machine, memories, timing, training_step
from fastweights.bench import official as published
from fastweights.bench.measure import Note, measure
from fastweights.bench.memories import Heads, Shape
from fastweights.bench.report import recurrence_table
from fastweights.bench.subject import OFFICIAL, Bench, Option, Progress, Row, Rows, silent
from fastweights.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIME = "growth with time"
NAMES = {"fused": "fused", "steps": "step by step", "chunked": "chunked", "authors": "published"}
"""What a figure calls the variants."""

MAIN = Shape(64, 200)
ZERO = MAIN._replace(carried=False)
SIZES = (MAIN, ZERO, MAIN._replace(batch=16), ZERO._replace(batch=16))
GROWTH = tuple(Shape(16, time) for time in (200, 400, 800, 1600))
WIDTHS = tuple(Shape(16, 200, size) for size in (16, 32, 64))
DELTANET = Heads(8, 1024, 4, 64)
NOTES = {
    MAIN: Note(
        {"steps": 3054, "chunked": 471, "authors": 8439, "fused": 131}, {"steps": 20, "authors": 55}
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


LSTMS = {"fused": ("auto", "auto"), "torch-lstm": ("auto", "torch")}
MEMORIES = {
    "fused": ("auto", "torch"),
    "chunked": ("chunked", "torch"),
    "steps": ("reference", "torch"),
}
"""Backends of the memory and of the LSTM before it, by variant of a training step."""


def cases(program: ModuleType | None = None) -> Iterator[Case]:
    """List what is measured; with the authors' module, theirs beside ours where it does the same."""
    for shape in SIZES:
        build = partial(memories.variants, shape, program)
        note = NOTES.get(shape, Note())
        kept = partial(memories.saved, shape, program)
        yield Case("memory", str(shape), build, flops=shape.flops(), note=note, saved=kept)
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
        yield Case("training step, torch.nn.LSTM", str(shape), build, note=note)
        note = Note(goals={"authors": 35} if large else {})
        build = partial(step.variants, shape, LSTMS, program)
        yield Case("training step, fused LSTM", str(shape), build, truth="torch-lstm", note=note)
    # catbAbI as it is trained: one word in 28 is an answer.
    shape = step.Shape(32, 200, asked=0.035)
    build, note = partial(step.variants, shape, LSTMS), Note({"fused": 83, "torch-lstm": 150})
    yield Case("training step, answers only", str(shape), build, truth="torch-lstm", note=note)
    for group, shapes in ((TIME, GROWTH), ("growth with size", WIDTHS)):
        for shape in shapes:
            yield Case(group, str(shape), partial(memories.variants, shape), flops=shape.flops())
    build, note = partial(memories.heads, DELTANET), NOTES[DELTANET]
    yield Case("one key factor", str(DELTANET), build, flops=DELTANET.flops(), note=note)
    build, note = partial(memories.threaded, MAIN, 2), Note(goals={"one thread": 1.7})
    yield Case("two threads", str(MAIN), build, truth="one thread", note=note)
    yield Case("decoding", "one step of one row", partial(memories.decoding, program))


def run(
    *,
    threads: int = 1,
    repeats: int = 5,
    official: Path | None = None,
    only: str | None = None,
    progress: Progress = silent,
) -> list[Row]:
    """Measure the memory alone, a whole training step, growth with time and size, threads, and decoding.

    Args:
        threads: threads of torch and of the fused op.
        repeats: rounds of measurement; every variant is measured once in each.
        official: a checkout of the authors' repository, timed beside ours; None leaves it out.
        only: measure only the cases of whose group and title ("group: title") this is a part; * stands for anything.
        progress: called with a line before each case.

    Returns:
        A row for each case: `benchmark`, `group`, what `measure` says of it, and for the memory alone `saved_bytes` (by
        variant, what autograd keeps for the backward).

    Raises:
        UserError: if the fused op cannot run here, the checkout is none, no case matches, or for threads or repeats
            below 1.
    """
    with contextlib.ExitStack() as opened:
        program = None if official is None else opened.enter_context(published.program(official))
        opened.enter_context(timing.quiet(threads))
        here = machine.describe(threads)
        rows = []
        for case in cases(program):
            if not fnmatchcase(f"{case.group}: {case.title}", f"*{only or ''}*"):
                continue
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
            rows.append({"benchmark": "delta-memory", "group": case.group, **row})
            if case.saved:
                rows[-1]["saved_bytes"] = case.saved()
            del built
            gc.collect()  # a module that keeps its last graph is a cycle, and the authors' graph takes gigabytes
    if not rows:
        raise UserError(f"no case of the benchmark matches {only!r}")
    return rows


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
        Option(
            "only",
            str | None,
            None,
            'measure only cases of whose name this is a part, such as "answers only".',
        ),
    ),
    figure=growth,
)
