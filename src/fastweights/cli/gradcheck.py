"""`fastweights gradcheck`: the hand-derived gradients against finite differences."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastweights.cli.console import print_json, print_table

LIMIT = 1e-8
"""Largest relative error allowed, in float64."""


@dataclass(frozen=True)
class Gradcheck:
    """Check the oracle's hand-derived gradients by finite differences in float64, parameter by parameter."""

    seed: int = 0
    """Seed of the weights and inputs."""
    json: bool = False
    """Print the rows as one JSON object."""

    def run(self) -> int:
        from fastweights.oracle import delta_memory_gradcheck, fast_weight_rnn_gradcheck

        checks = (fast_weight_rnn_gradcheck.check, delta_memory_gradcheck.check)
        rows = [row for check in checks for row in check(seed=self.seed)]
        worst = max(row["max_relative_error"] for row in rows)
        if self.json:
            print_json({"rows": rows, "worst": worst, "limit": LIMIT, "passed": worst <= LIMIT})
        else:
            for op, checked in itertools.groupby(rows, lambda row: row["op"]):
                cases = itertools.groupby(checked, lambda row: row["case"])
                columns = ("case", "gradients", "worst", "relative error")
                print_table(op, columns, [_line(case, group) for case, group in cases])
            print(
                f"worst {worst:.1e}, limit {LIMIT:.0e}: {'passed' if worst <= LIMIT else 'FAILED'}"
            )
        return 0 if worst <= LIMIT else 1


def _line(case: str, rows: Iterable[Mapping[str, Any]]) -> tuple[object, ...]:
    """Return a case's line of the table: how many gradients it has, and which is the worst."""
    checked = list(rows)
    worst = max(checked, key=lambda row: row["max_relative_error"])
    return case, len(checked), worst["parameter"], f"{worst['max_relative_error']:.1e}"
