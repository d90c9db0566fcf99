"""Hold every backend of every op against the truth in float64: the largest error of each result and each gradient.

    python scripts/conformance.py                                                  # a table of 80 columns
    python scripts/conformance.py --json > results/reliability/conformance.jsonl
    python scripts/conformance.py --page docs/reliability.md                       # the table there, from those rows

The truth is the NumPy oracle with its gradients by hand, `torch.nn.LSTM`, and the equations of Metalearned Neural
Memory under autograd, at random points whose numbers bfloat16 holds. An error is ‖a − b‖ / max(‖a‖, ‖b‖), the largest
over all forms of an op and all points. Exit code 1 if one is over its type's limit.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import op_calls
import op_truths
import proof
import torch
from draws import Call

from fastweights.oracle.gradcheck import relative_error

LIMITS = {torch.float64: 1e-11, torch.float32: 1e-4, torch.bfloat16: 2**-7, torch.float16: 2**-9}
TYPES = {str(dtype).removeprefix("torch."): dtype for dtype in LIMITS}
ROWS = Path(__file__).parents[1] / "results" / "reliability" / "conformance.jsonl"
BEGIN, END = "<!-- made by scripts/conformance.py -->", "<!-- /conformance -->"

FIELDS = 6
"""Of a row, before its errors."""
MADE = ("versions", "commit", "machine", "date")
"""Those behind them."""

Drawn = tuple[Call, op_truths.Truth]
Row = dict[str, proof.Cell]


def rows(seed: int, points: int, ops: Iterable[str] = op_truths.OPS) -> Iterator[Row]:
    """Yield a row for each op, backend and type: the largest error of everything by name."""
    for op in ops:
        drawn = [
            pair
            for n in range(points)
            for pair in op_truths.OPS[op](np.random.default_rng([seed, n]))
        ]
        for backend in op_calls.backends(op):
            for name, dtype in TYPES.items():
                errors = worst(drawn, backend, dtype)
                wrong = sum(not error <= LIMITS[dtype] for error in errors.values())
                row: Row = {"op": op, "backend": backend, "dtype": name, "seed": seed}
                yield row | {"points": len(drawn), "wrong": wrong} | errors


def worst(drawn: list[Drawn], backend: str, dtype: torch.dtype) -> dict[str, float]:
    """Return the largest error of each result and gradient over calls whose truth is known."""
    errors: dict[str, float] = {}
    for call, truth in drawn:
        outcome = op_calls.run(op_calls.as_type(call, dtype), backend)
        if outcome.error is not None:
            raise outcome.error
        for name, found in outcome.found.items():
            if found.numel():
                error = relative_error(found.double().numpy(), truth[name])
                errors[name] = max(errors.get(name, 0.0), error)
    return errors


def tables(found: list[Row]) -> str:
    """Return the rows as tables, one an op, and one of all ops for the half types: 80 columns at most."""
    cells = {(r["op"], r["backend"], r["dtype"]): r for r in found}
    names = {r["backend"] for r in found}
    order = [name for name in ("reference", "chunked", "cpu") if name in names]
    lines = []

    def line(label: str, parts: Iterable[str]) -> None:
        lines.append(f"| {label:<25} | " + " | ".join(f"{part:<13}" for part in parts) + " |")

    def pair(op: str, backend: str, keys: list[str], types: tuple[str, str]) -> str:
        rows = [cells.get((op, backend, each)) for each in types]
        return " · ".join(
            f"{max(float(r[k] or 0) for k in keys):.0e}" for r in rows if r is not None
        )

    def head(label: str) -> None:
        lines.extend([""] * bool(lines))
        line(label, order)
        lines.append("| " + " | ".join(["-" * 25] + ["-" * 13] * len(order)) + " |")

    ops = list(dict.fromkeys(str(r["op"]) for r in found))
    keys = {op: list(cells[op, "reference", "float64"])[FIELDS:] for op in ops}
    keys = {op: [k for k in names if k not in MADE] for op, names in keys.items()}
    for op in ops:
        head(op)
        for key in keys[op]:
            line(key, [pair(op, each, [key], ("float64", "float32")) for each in order])
    head("bfloat16 · float16")
    for op in ops:
        for label, gradients in (("", False), ("∂ ", True)):
            some = [key for key in keys[op] if (key[0] == "∂") == gradients]
            line(
                f"{label}{op}",
                [pair(op, each, some, ("bfloat16", "float16")) for each in order],
            )
    return "\n".join(lines)


def page_with(page: str, table: str) -> str:
    """Return a page with the table in its place."""
    return re.sub(
        f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n\n{table}\n\n{END}", page, flags=re.DOTALL
    )


def recorded(path: Path = ROWS) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Errors of the ops against the truth.")
    parser.add_argument("--seed", type=int, default=0, help="of the points")
    parser.add_argument("--points", type=int, default=20, help="of each form of an op")
    parser.add_argument("--json", action="store_true", help="print a JSON row a backend and type")
    parser.add_argument("--page", type=Path, help="write the table of the recorded rows there")
    return parser.parse_args()


def all_right() -> bool:
    options = parsed()
    if options.page:
        options.page.write_text(page_with(options.page.read_text(), tables(recorded())))
        return True
    found = []
    for row in rows(options.seed, options.points):
        found.append(row)
        if options.json:
            proof.report(row, "", as_json=True)
    if not options.json:
        print(tables(found))
    return not any(row["wrong"] for row in found)


if __name__ == "__main__":
    sys.exit(0 if all_right() else 1)
