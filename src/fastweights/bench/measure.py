"""One measurement: every variant held against the truth first, then those that agree timed side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastweights.bench import agreement, timing
from fastweights.bench.subject import Row

TOLERANCE = 1e-3
"""Largest error against the truth, as a share of a tensor's largest entry: float32 over the longest sequence."""


class Note(NamedTuple):
    """What the kernel notes give for a case: milliseconds on another machine, and the ratios to reach."""

    milliseconds: Mapping[str, float] = {}
    goals: Mapping[str, float] = {}


def measure(
    case: str,
    checked: Mapping[str, agreement.Variant],
    others: Mapping[str, agreement.Variant],
    here: Row,
    *,
    truth: str,
    flops: int | None,
    note: Note = Note(),  # noqa: B008  (immutable)
    repeats: int = 7,
) -> Row:
    """Hold every variant against the true one, then time those that agree, side by side.

    Args:
        case: what is measured, for the table.
        checked: variants of one computation, `truth` and "fused" among them.
        others: timed beside them, but another function, so there is nothing to hold it against.
        here: the machine, with `peak_gflops` (None: unknown).
        truth: the variant that the others are held against.
        flops: floating-point operations of one call; None if they do not count.
        note: what is known of the case beforehand.
        repeats: rounds of measurement.

    Returns:
        A row: `case`, `threads`, `flops`, `errors` (by variant), `tolerance`, `refused` (variants whose results are
        wrong: they have no times and no ratios), `milliseconds`, `minimum` and `spread` (by variant), `speedup` (how
        many times as long the others take as the fused op), `goals`, `reached`, `gflops` and `peak_share` of the fused
        op, `notes_milliseconds` (the kernel notes' figures, of another machine), `machine`.
    """
    errors = agreement.errors(checked, truth)
    refused = sorted(name for name, found in errors.items() if not found <= TOLERANCE)
    kept = {name: call for name, call in checked.items() if name not in refused}
    timings = timing.side_by_side({**kept, **others}, rounds=repeats)
    milliseconds = {name: 1e3 * found.median for name, found in timings.items()}
    fused = milliseconds.get("fused")
    speedup = {} if fused is None else _ratios(milliseconds, fused)
    gflops = None if fused is None or flops is None else flops / fused / 1e6
    peak = here.get("peak_gflops")
    return {
        "case": case,
        "threads": here.get("threads", 1),
        "flops": flops,
        "errors": {name: found if found < float("inf") else None for name, found in errors.items()},
        "tolerance": TOLERANCE,
        "refused": refused,
        "milliseconds": milliseconds,
        "minimum": {name: 1e3 * found.minimum for name, found in timings.items()},
        "spread": {name: found.spread for name, found in timings.items()},
        "speedup": speedup,
        "goals": dict(note.goals),
        "reached": {name: speedup.get(name, 0.0) >= goal for name, goal in note.goals.items()},
        "gflops": gflops,
        "peak_share": gflops / peak if gflops and peak else None,
        "notes_milliseconds": dict(note.milliseconds),
        "machine": dict(here),
    }


def _ratios(milliseconds: Mapping[str, float], fused: float) -> dict[str, float]:
    return {name: taken / fused for name, taken in milliseconds.items() if name != "fused"}
