"""Rows of measurements as tables of strings, for the command line and for documents."""

from __future__ import annotations

from fastweights.bench.subject import Row, Rows, Table


def recurrence_table(rows: Rows) -> Table:
    """Lay out rows of `measure`.

    Returns:
        column names, and for each row as many cells: times in ms, [in brackets] the kernel notes' figures, of another
        machine, ≥ the ratio to reach; "–" where there is nothing to say, "refused" for a variant whose results were
        wrong.
    """
    timed = _names(rows, "milliseconds", "refused")
    compared = [name for name in timed if name != "fused"]
    kept = _names([row for row in rows if "saved_bytes" in row], "saved_bytes")
    columns = [
        "case",
        *(f"{name} ms" for name in timed),
        *(f"{name} ÷ fused" for name in compared),
        "GFLOP/s",
        "of FMA peak",
        *(f"{name} saved MiB" for name in kept),
    ]
    return columns, [
        [
            row["case"],
            *(_milliseconds(row, name) for name in timed),
            *(_speedup(row, name) for name in compared),
            _optional(row["gflops"], "{:.0f}"),
            _optional(row["peak_share"], "{:.0%}"),
            *(_optional(row["saved_bytes"].get(name), "{:.0f}", 2**20) for name in kept),
        ]
        for row in rows
    ]


def _names(rows: Rows, *keys: str) -> list[str]:
    """List the names under the keys in all rows, each once, "fused" first."""
    names = dict.fromkeys(name for row in rows for key in keys for name in row[key])
    return sorted(names, key=lambda name: name != "fused")


def _milliseconds(row: Row, name: str) -> str:
    found = "refused" if name in row["refused"] else digits(row["milliseconds"].get(name))
    note = row["notes_milliseconds"].get(name)
    return found if note is None else f"{found} [{digits(note)}]"


def digits(value: float | None) -> str:
    """Format three significant digits, or whole numbers where there are more; None is "–"."""
    return _optional(value, "{:.0f}" if value is not None and value >= 100 else "{:.3g}")


def _speedup(row: Row, name: str) -> str:
    found = _optional(row["speedup"].get(name), "{:.1f}×")
    goal = row["goals"].get(name)
    return found if goal is None else f"{found} ≥ {goal:g}"


def _optional(value: float | None, form: str, unit: float = 1) -> str:
    return "–" if value is None else form.format(value / unit)
