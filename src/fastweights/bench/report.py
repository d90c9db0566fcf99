"""Rows of measurements as tables of strings, for the command line and for documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LEGEND = "times in ms; [in brackets]: the kernel notes' figures, of another machine; ≥: the ratio to reach"


def to_table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Lay out the rows of one benchmark.

    Args:
        rows: as the `run` of a benchmark returns them.

    Returns:
        column names, and for each row as many strings; "–" where there is nothing to say, "refused" for a variant whose
        results were wrong. `LEGEND` explains the signs.

    Example:
        >>> to_table([{"benchmark": "import", "torch_seconds": 1.5, "added_seconds": 0.1, "limit_seconds": 0.3}])
        (['import torch, s', 'fastweights adds, s', 'limit, s'], [['1.50', '0.10', '0.30']])
    """
    if rows and rows[0].get("benchmark") == "import":
        keys = ("torch_seconds", "added_seconds", "limit_seconds")
        columns = ["import torch, s", "fastweights adds, s", "limit, s"]
        return columns, [[f"{row[key]:.2f}" for key in keys] for row in rows]
    if rows and rows[0].get("benchmark") == "language":
        return _language(rows)
    return _recurrence(rows)


def _language(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
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
                *(_figure(row["milliseconds"][name]) for name in ("first", "last")),
                " → ".join(f"{count:,}" for count in dict.fromkeys(row["state"])),
                f"{row['difference']:.1e} ≤ {row['goal']:.0e}",
            ]
            for row in rows
        ]
    timed = ("awd-fwm", "awd-lstm", "torch", "products")
    names = (*timed[:2], "torch.nn.LSTM", "its products alone")
    columns = ["case", *(f"{name}, ms" for name in names), "awd-fwm ÷ awd-lstm", "GFLOP/s"]
    return columns, [
        [
            row["case"],
            *(
                "refused" if name in row["refused"] else _figure(row["milliseconds"][name])
                for name in timed
            ),
            f"{row['memory']:.2f} ≤ {row['goal']:g}",
            f"{row['gflops']:.0f}",
        ]
        for row in rows
    ]


def _recurrence(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
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
    table = [
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
    return columns, table


def _names(rows: Sequence[Mapping[str, Any]], *keys: str) -> list[str]:
    """List the names under the keys in all rows, each once, "fused" first."""
    names = dict.fromkeys(name for row in rows for key in keys for name in row[key])
    return sorted(names, key=lambda name: name != "fused")


def _milliseconds(row: Mapping[str, Any], name: str) -> str:
    found = "refused" if name in row["refused"] else _figure(row["milliseconds"].get(name))
    note = row["notes_milliseconds"].get(name)
    return found if note is None else f"{found} [{_figure(note)}]"


def _figure(value: float | None) -> str:
    """Write three significant digits, or whole numbers where there are more."""
    return _optional(value, "{:.0f}" if value is not None and value >= 100 else "{:.3g}")


def _speedup(row: Mapping[str, Any], name: str) -> str:
    found = _optional(row["speedup"].get(name), "{:.1f}×")
    goal = row["goals"].get(name)
    return found if goal is None else f"{found} ≥ {goal:g}"


def _optional(value: float | None, form: str, unit: float = 1) -> str:
    return "–" if value is None else form.format(value / unit)
