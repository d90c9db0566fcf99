"""`ops.fast_weight_rnn`, forward and backward: the fused op beside eager PyTorch, an LSTM, and the machine's limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fastweights import ops
from fastweights.bench import agreement, machine, timing
from fastweights.errors import UserError

DECAY, RATE = 0.95, 0.5
FACTS = {"inner_steps": 1, "nonlinearity": "relu", "form": "inner"}
TOLERANCE = 1e-3
"""Largest error against the reference, as a share of a tensor's largest entry: float32 over the longest sequence."""

CHECKED = {
    "fused": "ops.fast_weight_rnn, backend cpu",
    "explicit": "A written out, step by step, eager (backend reference)",
    "attention": "attention form over the whole sequence, eager (backend chunked, one chunk)",
    "chunked": "attention form in chunks, eager (backend chunked, its own choice of chunk)",
}
OTHERS = {
    "lstm": "torch.nn.LSTM of equal input and hidden size",
    "compiled": "torch.compile of the attention form",
}


class Shape(NamedTuple):
    """Sizes of one measurement."""

    batch: int
    time: int
    hidden: int


class Note(NamedTuple):
    """What the kernel notes give for a shape: milliseconds on another machine, and the ratios to reach."""

    milliseconds: dict[str, float]
    goals: dict[str, float]


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


def flops(shape: Shape, inner_steps: int = 1) -> int:
    """Count the floating-point operations of a forward and backward pass, matrix work of the attention form alone.

    Forward: 2H² a step for W h, and for each inner step 4H for every earlier state (its product with h_s, its share
    of the sum); backward: twice that. Making A costs about as much at the sizes measured, so no form gains by it.

    Example:
        >>> flops(Shape(batch=1, time=2, hidden=3))
        144
    """
    batch, time, hidden = shape
    slow = 2 * hidden * hidden * time
    fast = inner_steps * 4 * hidden * (time * (time - 1) // 2)
    return 3 * batch * (slow + fast)


def variants(shape: Shape, *, compile: bool = False) -> dict[str, agreement.Variant]:
    """Build one callable for each way to run the recurrence, all on the same data.

    Args:
        shape: batch, time and hidden size.
        compile: add the attention form under `torch.compile` (half a minute of compilation).

    Returns:
        By the names of `CHECKED` (and "compiled"): a callable without arguments that returns the outputs
        [batch, time, hidden] and the gradients of the drive, W, LN's gain and LN's bias.
    """
    generator = torch.Generator().manual_seed(0)
    batch, time, hidden = shape
    drive = torch.randn(batch, time, hidden, generator=generator).requires_grad_()
    weight = (0.05 * torch.eye(hidden)).requires_grad_()
    gain, bias = torch.ones(hidden, requires_grad=True), torch.zeros(hidden, requires_grad=True)
    given = torch.randn(batch, time, hidden, generator=generator)

    def recurrence(backend: str, chunk: int | None) -> Tensor:
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

    def both_ways(forward: Callable[[], Tensor]) -> agreement.Variant:
        def call() -> tuple[Tensor, ...]:
            outputs = forward()
            return outputs, *torch.autograd.grad(outputs, (drive, weight, gain, bias), given)

        return call

    built = {
        "fused": both_ways(lambda: recurrence("cpu", None)),
        "explicit": both_ways(lambda: recurrence("reference", None)),
        "attention": both_ways(lambda: recurrence("chunked", time)),
        "chunked": both_ways(lambda: recurrence("chunked", None)),
    }
    if compile:
        compiled = torch.compile(lambda: recurrence("chunked", time), fullgraph=True)
        built["compiled"] = both_ways(compiled)
    return built


def lstm(shape: Shape) -> agreement.Variant:
    """Build a forward and backward pass of `torch.nn.LSTM` with input and hidden size H, on data of the same shape."""
    generator = torch.Generator().manual_seed(0)
    layer = nn.LSTM(shape.hidden, shape.hidden, batch_first=True)
    x = torch.randn(*shape, generator=generator).requires_grad_()
    given = torch.randn(*shape, generator=generator)
    inputs = (x, *layer.parameters())

    def call() -> tuple[Tensor, ...]:
        outputs = layer(x)[0]
        return outputs, *torch.autograd.grad(outputs, inputs, given)

    return call


def run(
    shapes: Sequence[tuple[int, int, int]] = SHAPES,
    *,
    threads: int = 1,
    repeats: int = 7,
    compile: bool = False,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure all variants at every shape, forward and backward, float32.

    Args:
        shapes: (batch, time, hidden) each.
        threads: threads of torch and of the fused op.
        repeats: rounds of measurement; every variant is measured once in each.
        compile: measure `torch.compile` of the attention form too.
        progress: called with a line before each shape.

    Returns:
        A row for each shape, as `measure` makes it.

    Raises:
        UserError: if the fused op cannot run here, or for sizes, threads or repeats below 1.
    """
    chosen = [Shape(*shape) for shape in shapes]
    for shape in chosen:
        if min(shape) < 1:
            raise UserError(f"batch, time and hidden size must be at least 1, not {tuple(shape)}")
        ops.backend.resolve("fast_weight_rnn", "cpu", torch.empty(shape.hidden), **FACTS)
    rows = []
    with timing.quiet(threads):
        here = machine.describe(threads)
        for shape in chosen:
            if progress:
                progress(f"B{shape.batch} T{shape.time} H{shape.hidden}: forward and backward")
            built = variants(shape, compile=compile)
            rows.append(measure(shape, built, {"lstm": lstm(shape)}, here, repeats))
    return rows


def measure(
    shape: Shape,
    checked: Mapping[str, agreement.Variant],
    others: Mapping[str, agreement.Variant],
    here: Mapping[str, Any],
    repeats: int,
) -> dict[str, Any]:
    """Hold every variant against the explicit one, then time those that agree, side by side.

    Args:
        shape: of the data.
        checked: variants of the recurrence, "explicit" and "fused" among them.
        others: timed beside them, but another function, so there is nothing to hold it against.
        here: the machine, with `peak_gflops` (None: unknown).
        repeats: rounds of measurement.

    Returns:
        A row: `batch`, `time`, `hidden`, `threads`, `flops`, `errors` (by variant), `refused` (variants whose results
        are wrong: they have no times and no ratios), `milliseconds`, `minimum` and `spread` (by variant), `speedup`
        (how many times as long the others take as the fused op), `goals`, `reached`, `gflops` and `peak_share` of the
        fused op, `notes_milliseconds` (the kernel notes' figures, of another machine), `machine`.
    """
    errors = agreement.errors(checked, "explicit")
    refused = sorted(name for name, found in errors.items() if not found <= TOLERANCE)
    kept = {name: call for name, call in checked.items() if name not in refused}
    timings = timing.side_by_side({**kept, **others}, rounds=repeats)
    milliseconds = {name: 1e3 * found.median for name, found in timings.items()}
    fused = milliseconds.get("fused")
    speedup = {} if fused is None else _ratios(milliseconds, fused)
    note = NOTES.get(shape, Note({}, {}))
    work = flops(shape)
    gflops = None if fused is None else work / fused / 1e6
    peak = here.get("peak_gflops")
    return {
        "benchmark": "fast-weight-rnn",
        **shape._asdict(),
        "threads": here.get("threads", 1),
        "flops": work,
        "errors": {name: found if found < float("inf") else None for name, found in errors.items()},
        "tolerance": TOLERANCE,
        "refused": refused,
        "milliseconds": milliseconds,
        "minimum": {name: 1e3 * found.minimum for name, found in timings.items()},
        "spread": {name: found.spread for name, found in timings.items()},
        "speedup": speedup,
        "goals": note.goals,
        "reached": {name: speedup.get(name, 0.0) >= goal for name, goal in note.goals.items()},
        "gflops": gflops,
        "peak_share": gflops / peak if gflops and peak else None,
        "notes_milliseconds": note.milliseconds,
        "machine": dict(here),
    }


def _ratios(milliseconds: Mapping[str, float], fused: float) -> dict[str, float]:
    return {name: taken / fused for name, taken in milliseconds.items() if name != "fused"}
