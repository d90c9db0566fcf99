"""`fastweights bench`: speed, as ratios measured side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from fastweights.cli.console import json_text, print_json, print_table, say
from fastweights.errors import UserError, unknown

NAMES = ("fast-weight-rnn", "delta-memory", "lstm", "language", "metro-map", "import")
WITH_AUTHORS = ("delta-memory", "metro-map")


@dataclass(frozen=True)
class Bench:
    """Time the library against named peers and the machine's own limit, in one run.

    `fast-weight-rnn`: the fused recurrence, forward and backward, against eager PyTorch and `torch.nn.LSTM`.
    `delta-memory`: the fused memory alone, a whole training step, growth with time and size, threads, decoding.
    `lstm`: the LSTM on fused kernels against `torch.nn.LSTM`, alone and in a whole training step.
    `language`: what a memory adds to a training step of AWD-LSTM, and what a generated word costs.
    `metro-map`: an update of agents on the metro maps, acting and learning.
    `import`: what `import fastweights` adds to `import torch`.
    """

    name: tyro.conf.Positional[str] = "fast-weight-rnn"
    """Which benchmark: fast-weight-rnn, delta-memory, lstm, language, metro-map or import."""
    threads: int = 1
    """Threads for every variant."""
    repeats: int | None = None
    """Interleaved repeats; medians are reported [default: 7; 5 for delta-memory, metro-map and import]."""
    compile: bool = False
    """fast-weight-rnn: time torch.compile of the attention form too (it compiles for half a minute a shape)."""
    official: Path | None = None
    """delta-memory, metro-map: a checkout of ischlag/Fast-Weight-Memory-public, to be timed beside ours."""
    only: str | None = None
    """delta-memory: measure only cases of whose name this is a part, such as "answers only"."""
    figure: Path | None = None
    """delta-memory: draw time against the length of the sequence into this file."""
    out: Path | None = None
    """Write the rows and the machine to this JSON file too."""
    json: bool = False
    """Print rows and machine as one JSON object."""

    def run(self) -> int:
        from fastweights import bench

        if self.name not in NAMES:
            raise unknown("benchmark", self.name, NAMES)
        if self.threads < 1 or (self.repeats is not None and self.repeats < 1):
            raise UserError("threads and repeats must be at least 1")
        for option, owners in (
            ("compile", ("fast-weight-rnn",)),
            ("official", WITH_AUTHORS),
            ("figure", ("delta-memory",)),
            ("only", ("delta-memory",)),
        ):
            if getattr(self, option) and self.name not in owners:
                raise UserError(
                    f"--{option} is an option of the benchmark {' and '.join(owners)}, not {self.name}"
                )
        rows = self._measure()
        measured = {"benchmark": self.name, "rows": rows}
        if self.out is not None:
            from fastweights.runs import write_atomically

            write_atomically(self.out, (json_text(measured) + "\n").encode())
        if self.figure is not None:
            _draw(rows, self.figure)
        if self.json:
            print_json(measured)
            return 0
        groups = {row.get("group", self.name): [] for row in rows}
        for row in rows:
            groups[row.get("group", self.name)].append(row)
        for place, (title, group) in enumerate(groups.items(), start=1):
            columns, table = bench.to_table(group)
            print_table(
                title, columns, table, note=_machine(rows) if place == len(groups) else None
            )
        return 0

    def _measure(self) -> list[dict[str, Any]]:
        from fastweights import bench

        if self.name == "import":
            return bench.imports.run(self.repeats or 5)
        options: dict[str, Any] = {"threads": self.threads, "progress": say}
        if self.name in WITH_AUTHORS:
            options |= {"repeats": self.repeats or 5, "authors": self.official}
            if self.name == "metro-map":
                return bench.metro_map.run(**options)
            options["only"] = self.only or "*"
            return bench.delta_memory.run(**options)
        options["repeats"] = self.repeats or 7
        if self.name == "lstm":
            return bench.lstm.run(**options)
        if self.name == "language":
            return bench.language.run(**options)
        return bench.fast_weight_rnn.run(compile=self.compile, **options)


def _draw(rows: list[dict[str, Any]], path: Path) -> None:
    from fastweights import bench, figures

    lengths, milliseconds = bench.delta_memory.growth(rows)
    if not lengths:
        raise UserError("the figure shows growth with time, which --only has left out")
    figures.save(
        figures.growth(lengths, milliseconds, names=bench.delta_memory.SHORT), path, dpi=200
    )


def _machine(rows: list[dict[str, Any]]) -> str | None:
    machine = rows[0].get("machine") if rows else None
    if machine is None:
        return None
    peak = machine["peak_gflops"]
    limit = "" if peak is None else f", FMA peak measured {peak:.0f} GFLOP/s in float32"
    return f"{machine['processor']}, {machine['threads']} threads, torch {machine['torch']}{limit}"
