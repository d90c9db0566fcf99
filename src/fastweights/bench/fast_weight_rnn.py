"""`ops.fast_weight_rnn`, forward and backward: the fused op beside eager PyTorch, an LSTM, and the machine's limit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fastweights import ops
from fastweights.bench import agreement
from fastweights.bench.measure import Case, Note, measure_all
from fastweights.bench.report import recurrence_table
from fastweights.bench.subject import DEVICE, Bench, Option, Progress, Row, device_of, silent
from fastweights.errors import UserError
from fastweights.ops.flops import fast_weight_rnn as flops

DECAY, RATE = 0.95, 0.5
FACTS = {"inner_steps": 1, "nonlinearity": "relu", "form": "inner"}


class Shape(NamedTuple):
    """Sizes of one measurement."""

    batch: int
    time: int
    hidden: int

    def __str__(self) -> str:
        return f"B{self.batch} T{self.time} H{self.hidden}"


def checked(
    shapes: Sequence[tuple[int, int, int]], op: str, device: str = "cpu", **facts: object
) -> list[Shape]:
    """Return shapes of which the fused form of an op can run, whose name is the device's, if it has one there.

    Raises:
        UserError: if it cannot run here, or for sizes below 1.
    """
    for shape in shapes:
        if min(shape) < 1:
            raise UserError(f"batch, time and hidden size must be at least 1, not {tuple(shape)}")
        like = torch.empty(shape[-1], device=device)
        fused = device in ops.backend.names(op)
        ops.backend.resolve(op, device if fused else "auto", like, hidden=shape[-1], **facts)
    return [Shape(*shape) for shape in shapes]


NOTES = {
    Shape(128, 11, 50): Note(
        {"explicit": 11.7, "attention": 3.03, "fused": 0.208}, {"explicit": 40, "attention": 10}
    ),
    Shape(128, 11, 100): Note(
        {"explicit": 50.7, "attention": 4.50, "fused": 0.563}, {"explicit": 60, "attention": 6}
    ),
    Shape(128, 64, 128): Note(
        {"explicit": 531.0, "attention": 129.0, "fused": 10.9}, {"explicit": 40, "attention": 10}
    ),
    Shape(128, 256, 128): Note(
        {"explicit": 2512.0, "attention": 2877.0, "fused": 142.0}, {"explicit": 15, "attention": 15}
    ),
}
SHAPES = tuple(NOTES)


def variants(
    shape: Shape, *, compile: bool = False, device: str = "cpu"
) -> dict[str, agreement.Variant]:
    """Build one callable for each way to run the recurrence, all on the same data.

    Args:
        shape: batch, time and hidden size.
        compile: add the attention form under `torch.compile` (half a minute of compilation).
        device: "cpu" or "cuda".

    Returns:
        "fused" (the backend of the device's name), "explicit" (A written out, step by step: backend reference),
        "attention" (backend chunked, one chunk for all) and "chunked" (its own choice of chunk), perhaps "compiled": a
        callable without arguments that returns the outputs [batch, time, hidden] and the gradients of the drive, W,
        LN's gain and bias.
    """
    generator = torch.Generator().manual_seed(0)
    batch, time, hidden = shape
    drawn = torch.randn(2, batch, time, hidden, generator=generator).to(device)
    drive, given = drawn[0].requires_grad_(), drawn[1]
    weight = (0.05 * torch.eye(hidden, device=device)).requires_grad_()
    gain = torch.ones(hidden, requires_grad=True, device=device)
    bias = torch.zeros(hidden, requires_grad=True, device=device)

    def recurrence(backend: str, chunk: int | None = None) -> Tensor:
        return ops.fast_weight_rnn(
            drive,
            weight,
            decay=DECAY,
            rate=RATE,
            norm_weight=gain,
            norm_bias=bias,
            need_state=False,
            chunk=chunk,
            backend=backend,
        )[0]

    forwards = {
        "fused": lambda: recurrence(device),
        "explicit": lambda: recurrence("reference"),
        "attention": lambda: recurrence("chunked", time),
        "chunked": lambda: recurrence("chunked"),
    }
    if compile:
        forwards["compiled"] = torch.compile(forwards["attention"], fullgraph=True)
    inputs = (drive, weight, gain, bias)
    return {
        name: agreement.both_ways(lambda forward=forward: (forward(),), inputs, given)
        for name, forward in forwards.items()
    }


def lstm(shape: Shape, device: str = "cpu") -> dict[str, agreement.Variant]:
    """Build "lstm": both passes of `torch.nn.LSTM` with input and hidden size H, on data of the same shape."""
    generator = torch.Generator().manual_seed(0)
    layer = nn.LSTM(shape.hidden, shape.hidden, batch_first=True, device=device)
    x = torch.randn(*shape, generator=generator).to(device).requires_grad_()
    given = torch.randn(*shape, generator=generator).to(device)
    inputs = (x, *layer.parameters())
    return {"lstm": agreement.both_ways(lambda: (layer(x)[0],), inputs, given)}


def run(
    shapes: Sequence[tuple[int, int, int]] = SHAPES,
    *,
    threads: int = 1,
    repeats: int = 7,
    compile: bool = False,
    device: str | None = None,
    progress: Progress = silent,
) -> list[Row]:
    """Measure all variants at every shape, forward and backward, float32.

    Args:
        shapes: (batch, time, hidden) each.
        compile: measure `torch.compile` of the attention form too.
        device: "cpu" (None) or "cuda".
        threads, repeats, progress: as of every `Bench.run`.

    Returns:
        A row for each shape: `batch`, `time`, `hidden`, and what `measure` says of it.

    Raises:
        UserError: if the fused op cannot run here, or for sizes, threads or repeats below 1.
    """
    where = device_of(device)
    cases = [
        Case(
            str(shape),
            partial(variants, shape, compile=compile, device=where),
            "explicit",
            flops(*shape),
            NOTES.get(shape, Note()) if where == "cpu" else Note(),
            shape._asdict(),
            f"{shape}: forward and backward",
            partial(lstm, shape, where),
        )
        for shape in checked(shapes, "fast_weight_rnn", where, **FACTS)
    ]
    return measure_all(
        "fast-weight-rnn",
        cases,
        threads=threads,
        repeats=repeats,
        progress=progress,
        device=where,
    )


BENCH = Bench(
    "fast-weight-rnn",
    "the fused recurrence, forward and backward, against eager PyTorch and `torch.nn.LSTM`.",
    run,
    recurrence_table,
    options=(
        DEVICE,
        Option(
            "compile",
            bool,
            False,
            "time torch.compile of the attention form too (it compiles for half a minute a shape).",
        ),
    ),
)
