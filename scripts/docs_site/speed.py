"""A page of every recorded time, and of what was recorded before: `results/bench` and its history in Git."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEAD = """# Every recorded time

Milliseconds (medians), from `results/bench`; the variants of a row were timed side by side in one process, after their
results had been compared. [Speed](../../docs/speed.md) says what the cases are and how to measure them on your machine.
"""


def pages(root: Path) -> dict[str, str]:
    """Return the page by address."""
    lines = [HEAD]
    for path in sorted((root / "results" / "bench").glob("*.json")):
        lines += _subject(root, path)
    return {"speed-history": "\n".join(lines)}


def rows(report: Any) -> Iterator[tuple[str, dict[str, float], dict[str, Any]]]:
    """Yield the rows of a benchmark's report: what was timed, milliseconds by variant, the machine."""
    if isinstance(report, dict):
        if "milliseconds" in report:
            yield report.get("case", ""), report["milliseconds"], report.get("machine", {})
        else:
            for child in report.values():
                yield from rows(child)
    elif isinstance(report, list):
        for child in report:
            yield from rows(child)


def versions(root: Path, path: Path) -> Iterator[tuple[str, str, Any]]:
    """Yield date, commit and report of each recorded version of a file, the newest first; none without Git."""
    name = path.relative_to(root).as_posix()
    for line in _git(root, "log", "--format=%h %cs", "--", name).splitlines():
        commit, date = line.split()
        if text := _git(root, "show", f"{commit}:{name}"):
            yield date, commit, json.loads(text)


def _git(root: Path, *words: str) -> str:
    try:
        ran = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return ran.stdout if ran.returncode == 0 else ""


def _subject(root: Path, path: Path) -> list[str]:
    report = json.loads(path.read_text(encoding="utf-8"))
    measured = list(rows(report))
    machine = measured[0][2]
    lines = [
        f"## {path.stem}",
        "",
        f"{_machine(machine)}. Command: `fastweights bench {report['benchmark']}`.",
        "",
    ]
    lines += _table(measured)
    history = list(versions(root, path))[1:]
    for date, commit, report in history:
        lines += ["", f"### {path.stem}, recorded until {date}", "", f"Commit `{commit}`.", ""]
        lines += _table(list(rows(report)))
    return [*lines, ""]


def _machine(machine: dict[str, Any]) -> str:
    parts = (machine.get("processor"), machine.get("isa"), f"torch {machine.get('torch')}")
    commit = str(machine.get("commit", ""))[:7]
    return ", ".join(str(part) for part in (*parts, f"commit `{commit}`") if part)


def _table(measured: list[tuple[str, dict[str, float], dict[str, Any]]]) -> list[str]:
    variants = list(dict.fromkeys(name for _, times, _ in measured for name in times))
    lines = ["| case | " + " | ".join(variants) + " |", "|---|" + "---|" * len(variants)]
    for case, times, _ in measured:
        cells = [f"{times[name]:,.4g}" if name in times else "" for name in variants]
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    return lines
