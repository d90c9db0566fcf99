"""Word language models: what a memory adds to a training step of AWD-LSTM, and what a generated word costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch

from fastweights import state as states
from fastweights.bench import machine, timing
from fastweights.bench.language_step import PAPER, SMALL, STEP, Shape, measure_step, network
from fastweights.bench.report import digits
from fastweights.bench.subject import DEVICE, Bench, Progress, Row, Rows, Table, device_of, silent
from fastweights.errors import UserError

GENERATION = "generated words"
GOAL = 1e-5
"""How far logits of generated words may lie from those of a teacher-forced pass."""
NEAR = 50
"""Words over which the time of one is taken, from the 10th on and up to the last."""
CHUNK = 100
"""Words that the teacher-forced pass takes at a time: the logits of all would fill the memory."""


@torch.inference_mode()
def measure_generation(shape: Shape, words: int, device: str = "cpu") -> Row:
    """Time the words that AWD-FWM generates one by one, and hold their logits against a teacher-forced pass.

    Returns:
        A row: `words`, `milliseconds` a word near the 10th ("first") and the last ("last"), `state` (its numbers,
        after the first word and the last), `difference` (the largest between logits).
    """
    model = network("awd-fwm", shape).to(device).eval()
    generator = torch.Generator().manual_seed(0)
    text = torch.randint(shape.words, (1, words), generator=generator).to(device)
    seconds: list[float] = []
    difference, stepped, forced = 0.0, None, None
    counts: list[int] = []
    for chunk in text.split(CHUNK, 1):
        logits = []
        for word in chunk.unbind(1):
            start = time.perf_counter()
            found, stepped = model.step(word, stepped)
            if device == "cuda":
                torch.cuda.synchronize()  # the next word follows from this one
            seconds.append(time.perf_counter() - start)
            logits.append(found)
        counts.append(sum(part.numel() for part in states.tensors(stepped)))
        expected, forced = model(chunk, forced)
        gap = (torch.stack(logits, 1) - expected).abs().max().item()
        difference = max(difference, gap)
    first = seconds[10 : 10 + NEAR] or seconds
    return {
        "group": GENERATION,
        "words": words,
        "milliseconds": {
            "first": 1e3 * statistics.median(first),
            "last": 1e3 * statistics.median(seconds[-NEAR:]),
        },
        "state": [counts[0], counts[-1]],
        "difference": difference,
        "goal": GOAL,
    }


def run(
    shapes: Sequence[tuple[int, int, int, int, int]] = (PAPER, SMALL),
    *,
    words: int = 10_000,
    threads: int = 1,
    repeats: int = 7,
    device: str | None = None,
    progress: Progress = silent,
) -> list[Row]:
    """Measure training steps and generated words at every shape, in float32.

    Args:
        shapes: (batch, time, words, embedding, hidden) each; the published one and a small one.
        words: how many are generated.
        device: "cpu" (None) or "cuda".
        threads, repeats, progress: as of every `Bench.run`.

    Returns:
        A row for each measurement of each shape: `benchmark`, `case`, `shape`, `machine`, and what `measure_step` or
        `measure_generation` says of it.

    Raises:
        UserError: for sizes, words, threads or repeats below 1.
    """
    chosen = [Shape(*shape) for shape in shapes]
    for shape in chosen:
        if min(*shape, words) < 1:
            raise UserError(f"sizes and words must be at least 1, not {tuple(shape)} and {words}")
    rows: list[Row] = []
    where = device_of(device)
    with timing.quiet(threads):
        here = machine.describe(threads)
        kinds: Mapping[str, Callable[[Shape], Row]] = {
            STEP: partial(measure_step, repeats=repeats, device=where),
            GENERATION: partial(measure_generation, words=words, device=where),
        }
        for kind, measure in kinds.items():
            for shape in chosen:
                progress(f"{kind}: {shape}")
                about = {"benchmark": "language", "case": str(shape), "shape": shape._asdict()}
                rows.append({**about, **measure(shape), "machine": here})
    return rows


def table(rows: Rows) -> Table:
    """Lay out the rows of one kind, as `run` returns them."""
    if "words" in rows[0]:
        columns = [
            "case",
            "near word 10, ms",
            f"near word {rows[0]['words']:,}, ms",
            "state",
            "logits differ",
        ]
        return columns, [
            [
                row["case"],
                *(digits(row["milliseconds"][name]) for name in ("first", "last")),
                " → ".join(f"{count:,}" for count in dict.fromkeys(row["state"])),
                f"{row['difference']:.1e} ≤ {row['goal']:.0e}",
            ]
            for row in rows
        ]
    timed = ["awd-fwm", "awd-lstm", "torch", "products"]
    names = [*timed[:2], "torch.nn.LSTM", "its products alone"]
    if any("graph" in row["milliseconds"] for row in rows):
        timed, names = [*timed, "graph"], [*names, "awd-fwm as a graph"]
    columns = ["case", *(f"{name}, ms" for name in names), "awd-fwm ÷ awd-lstm", "GFLOP/s"]
    return columns, [
        [
            row["case"],
            *(
                "refused" if name in row["refused"] else digits(row["milliseconds"][name])
                for name in timed
            ),
            f"{row['memory']:.2f} ≤ {row['goal']:g}",
            f"{row['gflops']:.0f}",
        ]
        for row in rows
    ]


BENCH = Bench(
    "language",
    "what a memory adds to a training step of AWD-LSTM, and what a generated word costs.",
    run,
    table,
    options=(DEVICE,),
)
