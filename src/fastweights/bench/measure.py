"""One measurement: every variant held against the truth first, then those that agree timed side by side."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from fastweights.bench import agreement, machine, timing
from fastweights.bench.subject import Progress, Row

TOLERANCE = 1e-3
"""Largest error against the truth, as a share of a tensor's largest entry: float32 over the longest sequence."""


ELSEWHERE = {"peak_gflops": None}
"""The processor's peak, of which work on another device has no share."""


class Note(NamedTuple):
    """What the kernel notes give for a case: milliseconds on another machine, and the ratios to reach."""

    milliseconds: Mapping[str, float] = {}
    goals: Mapping[str, float] = {}


class Case(NamedTuple):
    """One measurement.

    Attributes:
        title: what is measured, for the table.
        build: builds the variants of one computation, `truth` and "fused" among them.
        truth: the variant that the others are held against.
        flops: floating-point operations of one call of the fused variant; None where they are not counted.
        note: what is known beforehand, and what there is to reach.
        about: what else its row says, such as sizes or the `group` of its table.
        progress: the line that announces it; "": the title.
        others: builds what is timed beside them, but is another function, with nothing to hold it against.
        saved: measures what the variants keep for the backward, in bytes; None: not measured.
    """

    title: str
    build: Callable[[], Mapping[str, agreement.Variant]]
    truth: str
    flops: int | None = None
    note: Note = Note()
    about: Mapping[str, object] = {}
    progress: str = ""
    others: Callable[[], Mapping[str, Callable[[], object]]] = dict
    saved: Callable[[], dict[str, int]] | None = None


def measure_all(
    benchmark: str,
    cases: Iterable[Case],
    *,
    threads: int,
    repeats: int,
    progress: Progress,
    device: str = "cpu",
) -> list[Row]:
    """Measure cases one after the other; a row for each: `benchmark`, what is known `about` it, and `measure`'s."""
    rows = []
    with timing.quiet(threads):
        here = machine.describe(threads) | ({} if device == "cpu" else ELSEWHERE)
        for case in cases:
            progress(case.progress or case.title)
            rows.append(
                {"benchmark": benchmark, **case.about, **measure(case, here, repeats, device)}
            )
            gc.collect()  # a module that keeps its last graph is a cycle, and the authors' graph takes gigabytes
    return rows


def measure(case: Case, here: Row, repeats: int, device: str = "cpu") -> Row:
    """Hold every variant against the true one, then time those that agree, side by side.

    Args:
        case: what is measured.
        here: the machine, with `peak_gflops` (None: unknown).
        repeats: rounds of measurement.
        device: where the variants run.

    Returns:
        A row: `case`, `threads`, `flops`, `errors` (by variant), `tolerance`, `refused` (variants whose results are
        wrong: they have no times and no ratios), `milliseconds`, `minimum` and `spread` (by variant), `speedup` (how
        many times as long the others take as the fused op), `goals`, `reached`, `gflops` and `peak_share` of the fused
        op, `notes_milliseconds` (the kernel notes' figures, of another machine), `machine`; perhaps `saved_bytes` (by
        variant, what autograd keeps for the backward).
    """
    checked = case.build()
    errors = agreement.errors(checked, case.truth)
    refused = sorted(name for name, found in errors.items() if not found <= TOLERANCE)
    kept = {name: call for name, call in checked.items() if name not in refused}
    timings = timing.side_by_side({**kept, **case.others()}, rounds=repeats, device=device)
    milliseconds = {name: 1e3 * found.median for name, found in timings.items()}
    fused = milliseconds.get("fused")
    speedup, gflops = {}, None
    if fused is not None:
        speedup = {name: taken / fused for name, taken in milliseconds.items() if name != "fused"}
        gflops = None if case.flops is None else case.flops / fused / 1e6
    peak, goals = here.get("peak_gflops"), case.note.goals
    row: Row = {
        "case": case.title,
        "threads": here.get("threads", 1),
        "flops": case.flops,
        "errors": {name: found if found < float("inf") else None for name, found in errors.items()},
        "tolerance": TOLERANCE,
        "refused": refused,
        "milliseconds": milliseconds,
        "minimum": {name: 1e3 * found.minimum for name, found in timings.items()},
        "spread": {name: found.spread for name, found in timings.items()},
        "speedup": speedup,
        "goals": dict(goals),
        "reached": {name: speedup.get(name, 0.0) >= goal for name, goal in goals.items()},
        "gflops": gflops,
        "peak_share": gflops / peak if gflops and peak else None,
        "notes_milliseconds": dict(case.note.milliseconds),
        "machine": dict(here),
    }
    if case.saved is not None:
        row["saved_bytes"] = case.saved()
    return row
