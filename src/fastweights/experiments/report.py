"""`results/README.md`: every recorded cell beside the paper's number, generated, never written by hand."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from fastweights.errors import UserError
from fastweights.experiments import registry
from fastweights.experiments.ledger import recorded

HEAD = """# Results

Made by `fastweights reproduce` from the rows in this folder; do not edit. Each row is mean ± standard deviation over
its seeds. `reach` is the number the recipe was to meet, `paper` the published figure. What was missed says so.
"""
PICTURE = "table.png"
COLUMNS = (
    "model",
    "condition",
    "metric",
    "value",
    "seeds",
    "reach",
    "met",
    "paper",
    "steps",
    "train s",
    "backend",
)


def write(results: Path) -> Path:
    """Write `README.md` in the results folder from all recorded rows and return its path.

    Raises:
        UserError: if a line of them is damaged, or the folder cannot be written.
    """
    from fastweights.runs import write_atomically
    from fastweights.runs.files import one_clear_line

    parts = [HEAD]
    with one_clear_line("make", results):
        results.mkdir(parents=True, exist_ok=True)
    for path in sorted(results.glob("*/cells.jsonl")):
        rows = recorded(path)
        if rows:
            parts.append(_section(path.parent, rows))
    for path in sorted(results.glob("*/*.md")):
        parts.append(f"- [{path.parent.name}: {path.stem}]({path.relative_to(results)})\n")
    target = results / "README.md"
    write_atomically(target, "\n".join(parts).encode())
    return target


def check(results: Path) -> None:
    """Raise `UserError` if nothing can be recorded there or a row is damaged: before a study trains, not after."""
    place = next(each for each in (results, *results.absolute().parents) if each.exists())
    if not place.is_dir():
        raise UserError(f"{results} cannot hold results: {place} is a file, not a folder")
    if not os.access(place, os.W_OK):
        raise UserError(f"{results} cannot hold results: no permission to write in {place}")
    for path in sorted(results.glob("*/cells.jsonl")):
        recorded(path)


def columns(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """Name the columns of recorded rows: those of every table, and what these rows tell besides."""
    return *COLUMNS, *(name.replace("_", " ") for name in _also(rows))


def cells(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Turn recorded rows into the cells of a table, in the order of `columns`."""
    also = _also(rows)
    return [
        (*_cells(row), *(_number(row.get("also", {}).get(name)) for name in also)) for row in rows
    ]


def _also(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.get("also", {})))


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3f}"


def _section(folder: Path, rows: list[dict[str, Any]]) -> str:
    name = folder.name
    study = registry.studies().get(name)
    title = study.title if study else name
    void = [row["cell"] for row in rows if study and not study.holds(row)]
    rows = [row for row in rows if row["cell"] not in void]
    if study and rows and importlib.util.find_spec("matplotlib") is not None:
        study.draw(rows, folder / PICTURE)
    lines = [f"## {title}\n"]
    lines += [f"{note}\n" for note in (study.notes if study else ())]
    if void:
        lines.append(f"Left out, since they were made with other settings: {', '.join(void)}.\n")
    if not rows:
        return "\n".join(lines)
    names = columns(rows)
    lines.append("| " + " | ".join(names) + " |")
    lines.append("|" + "---|" * len(names))
    lines += ["| " + " | ".join(row) + " |" for row in cells(rows)]
    machines = sorted({machine for row in rows for machine in row["machine"].split("; ")})
    if (folder / PICTURE).exists():
        lines.append(f"\n![{title}]({folder.name}/{PICTURE})")
    lines.append(f"\nMachine: {'; '.join(machines)}. Command: `fastweights reproduce {name}`.\n")
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    value = "diverged" if row["value"] is None else f"{row['value']:.3f}"
    if row["sd"] is not None:
        value += f" ± {row['sd']:.3f}"
    if row["median"] is not None and (row["reach"] or "").startswith("median"):
        value += f" (median {row['median']:.3f})"
    if row["value"] is not None and row.get("diverged"):
        value += f" (diverged: {row['diverged']} of {row['seeds']})"
    met = {True: "yes", False: "**no**", None: ""}[row["met"]]
    paper = "" if row["paper"] is None else f"{row['paper']:g}"
    return (
        row.get("label", row["model"]),
        row["mode"],
        row["metric"].replace("_", " "),
        value,
        str(row["seeds"]),
        row["reach"] or "",
        met,
        paper,
        f"{row['steps']:,}",
        f"{row['seconds']:.1f}",
        row["backend"],
    )
