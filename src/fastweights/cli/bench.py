"""`fastweights bench`: speed, as ratios measured side by side; made from the registry of benchmarks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fastweights.bench import BENCHES, Option, Row
from fastweights.cli.console import json_text, print_json, print_table, say
from fastweights.errors import UserError, check_choice

FIGURE = Option("figure", Path | None, None, "draw the rows into this file.")


def _owners() -> dict[Option, list[str]]:
    """Return the options that only some benchmarks have, each with the names of those."""
    owners: dict[Option, list[str]] = {}
    for bench in BENCHES.values():
        for option in (*bench.options, *([FIGURE] if bench.figure else [])):
            owners.setdefault(option, []).append(bench.name)
    return owners


OWNERS = _owners()
DEFAULT = next(iter(BENCHES))
REPEATS = ", ".join(f"{bench.repeats} for {name}" for name, bench in BENCHES.items())


@dataclass(frozen=True)
class _Shared:
    name: tyro.conf.Positional[str] = DEFAULT
    """Which benchmark."""
    threads: int = 1
    """Threads for every variant."""
    repeats: Annotated[
        int | None,
        tyro.conf.arg(help=f"Interleaved repeats; medians are reported. [default: {REPEATS}]"),
    ] = None
    out: Path | None = None
    """Write the rows and the machine to this JSON file too."""
    json: bool = False
    """Print rows and machine as one JSON object."""

    def run(self) -> int:
        check_choice("benchmark", self.name, BENCHES)
        if self.threads < 1 or (self.repeats is not None and self.repeats < 1):
            raise UserError("threads and repeats must be at least 1")
        for option, owners in OWNERS.items():
            if getattr(self, option.name) and self.name not in owners:
                raise UserError(
                    f"--{option.name} is an option of the benchmark {', '.join(owners)}, not {self.name}"
                )
        bench = BENCHES[self.name]
        rows = bench.run(
            threads=self.threads,
            repeats=self.repeats or bench.repeats,
            progress=say,
            **{option.name: getattr(self, option.name) for option in bench.options},
        )
        self._report(rows)
        return 0

    def _report(self, rows: list[Row]) -> None:
        bench, measured = BENCHES[self.name], {"benchmark": self.name, "rows": rows}
        if self.out is not None:
            from fastweights.io.atomic import write_atomically

            write_atomically(self.out, (json_text(measured) + "\n").encode())
        figure: Path | None = getattr(self, FIGURE.name)
        if figure is not None and bench.figure is not None:
            from fastweights.figures import save

            save(bench.figure(rows), figure, dpi=200)
        if self.json:
            print_json(measured)
            return
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(row.get("group", self.name), []).append(row)
        *_, last = groups
        for title, group in groups.items():
            columns, table = bench.table(group)
            note = _machine(rows[0].get("machine")) if title == last else None
            print_table(title, columns, table, note=note)


def _machine(machine: Mapping[str, Any] | None) -> str | None:
    if machine is None:
        return None
    peak = machine["peak_gflops"]
    limit = "" if peak is None else f", FMA peak measured {peak:.0f} GFLOP/s in float32"
    return f"{machine['processor']}, {machine['threads']} threads, torch {machine['torch']}{limit}"


Bench = dataclasses.make_dataclass(
    "Bench",
    [
        (
            option.name,
            Annotated[option.type, tyro.conf.arg(help=f"{', '.join(owners)}: {option.help}")],
            dataclasses.field(default=option.default),
        )
        for option, owners in OWNERS.items()
    ],
    bases=(_Shared,),
    frozen=True,
)
Bench.__doc__ = "\n".join(
    [
        "Time the library against named peers and the machine's own limit, in one run.\n",
        *(f"`{bench.name}`: {bench.summary}" for bench in BENCHES.values()),
    ]
)
