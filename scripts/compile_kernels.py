"""Compile every kernel for CUDA, without a device, and record what it needs: registers, spilled bytes, shared memory.

    python scripts/compile_kernels.py --out results/gpu [--cases "Fast Weight Memory"] [--workers 2]

`compiled.json` has the figures, README.md the table made of them. `tests/cuda/test_compiled.py` compiles again and
compares, so a change of a kernel that costs registers shows as a change of a committed number.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
from pathlib import Path

from fastweights.io.atomic import write_atomically
from fastweights.io.encode import to_json
from fastweights.kernels.triton.ready import missing
from fastweights.ops.cuda_kernels import CAPABILITIES, CASES, compile_all, launches

Table = dict[str, dict[str, dict[str, list[int]]]]

INTRODUCTION = """# What the kernels for CUDA need

`python scripts/compile_kernels.py --out results/gpu`, Triton {triton}, float32 with products of three TF32: figures of
the compiler, found without a device. **No kernel has run on a device yet.** Registers of a thread (255 at most) / bytes
that it spills to memory / KiB of shared memory of a program (99 at most on sm_86).

"""


def record(folder: Path, cases: list[str], workers: int) -> None:
    """Compile some cases, and write the table of all."""
    file = folder / "compiled.json"
    table: Table = json.loads(file.read_text())["kernels"] if file.is_file() else {}
    total = len(CAPABILITIES) * sum(len(launches(case)) for case in cases)
    found: Table = {case: {label: {} for label in launches(case)} for case in cases}
    for number, done in enumerate(compile_all(CAPABILITIES, workers=workers, cases=cases), 1):
        kernel, figures = done.kernel, done.figures
        print(
            f"{number}/{total} {kernel.case}: {kernel.label}, sm_{done.capability}: {figures}",
            file=sys.stderr,
        )
        found[kernel.case][kernel.label][f"sm_{done.capability}"] = list(figures)
    table = {case: (table | found)[case] for case in CASES if case in table | found}
    for rows in table.values():
        for label, row in rows.items():
            rows[label] = {name: row[name] for name in sorted(row)}
    triton = importlib.metadata.version("triton")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(file, to_json({"triton": triton, "kernels": table}, indent=1) + b"\n")
    write_atomically(folder / "README.md", page(table, triton).encode())


def page(table: Table, triton: str) -> str:
    """Return the table as Markdown."""
    lines = [INTRODUCTION.format(triton=triton)]
    for case, rows in table.items():
        names = [f"sm_{each}" for each in CAPABILITIES]
        lines.append(
            f"## {case}\n\n| kernel | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}\n"
        )
        for label, row in rows.items():
            cells = [f"{a} / {b} / {c / 1024:.0f}" for a, b, c in (row[name] for name in names)]
            lines.append(f"| {label} | {' | '.join(cells)} |\n")
        lines.append("\n")
    return "".join(lines).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder of the table")
    parser.add_argument(
        "--cases", default="", help="cases that begin so alone; the others stay as they are"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that compile")
    options = parser.parse_args()
    reason = missing()
    if reason is not None:
        parser.error(reason)
    cases = [case for case in CASES if case.startswith(options.cases)]
    if not cases:
        parser.error(f"no case begins with {options.cases!r}; there are: {', '.join(CASES)}")
    record(options.out, cases, options.workers)


if __name__ == "__main__":
    main()
