"""A page for each paper: every recorded cell beside the published number, with what it takes to make it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from docs_site.addresses import address
from fastweights.experiments import registry, report
from fastweights.experiments.ledger import recorded


class Paper(NamedTuple):
    """A paper by its entry in `CITATION.cff`, the beginnings of its studies' names, and what to read."""

    key: str
    studies: tuple[str, ...]
    read: str


PAPERS = {
    "ba2016": Paper(
        "arXiv:1610.06258",
        ("ba2016-", "retrieval", "trailing-read", "data-movement", "open-questions"),
        "[from the paper to the code](../../../docs/fast-weight-rnn.md), [glimpses](../../../docs/glimpses.md), "
        "[Catch](../../../docs/catch.md), [open questions](../../../results/open-questions/README.md)",
    ),
    "fwm2021": Paper(
        "arXiv:2011.07831",
        ("catbabi", "fwm-"),
        "[from the paper to the code](../../../docs/fast-weight-memory.md), [catbAbI](../../../docs/catbabi.md), "
        "[metro maps](../../../docs/metro-map.md), [language models](../../../docs/language.md)",
    ),
}
COLUMNS = ("cell", "metric", "paper", "ours", "95 % interval", "seeds", "machine", "commit")
LEGEND = """A value is the mean over its seeds ± their standard deviation; the interval is Student's t of at least
three seeds.
A commit with `+` had changes that were not committed yet."""


def studies(root: Path) -> dict[str, list[str]]:
    """Return the recorded studies of each paper, by the address of its page."""
    found = (path.parent.name for path in (root / "results").glob("*/cells.jsonl"))
    names = sorted(found, key=lambda name: (name.endswith("-tuning"), name))
    return {
        page: [name for name in names if name.startswith(paper.studies)]
        for page, paper in PAPERS.items()
    }


def pages(root: Path) -> dict[str, str]:
    """Return the pages of the papers by address."""
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))["references"]
    by_key = {entry["identifiers"][0]["value"]: entry for entry in cited}
    return {
        f"papers/{page}": _page(root, by_key[PAPERS[page].key], PAPERS[page], names)
        for page, names in studies(root).items()
    }


def _page(root: Path, cited: dict[str, Any], paper: Paper, names: Sequence[str]) -> str:
    authors = ", ".join(
        f"{each['given-names']} {each['family-names']}" for each in cited["authors"]
    )
    lines = [
        f"# {cited['title']}",
        "",
        f"{authors}. {cited['conference']['name']}. [{paper.key}]({cited['url']}).",
        "",
        f"Read on: {paper.read}.",
        "",
        LEGEND,
        "",
    ]
    for name in names:
        lines += _study(root, name)
    children = [path.relative_to(root).with_suffix("") for name in names
                for path in sorted((root / "results" / name).glob("*.md"))]  # fmt: skip
    tree = [f"/{address(path.as_posix())}" for path in children]
    return "\n".join([*lines, "```{toctree}", ":hidden:", "", *tree, "```", ""])


def _study(root: Path, name: str) -> list[str]:
    study = registry.studies()[name]
    folder = root / "results" / name
    rows = [row for row in recorded(folder / "cells.jsonl") if study.holds(row)]
    lines = [f"## {study.title}", "", *(f"{note}\n" for note in study.notes)]
    lines += [
        "```",
        f"fastweights reproduce {name}                    # all of it, resumable",
        f'fastweights reproduce {name} --only "{rows[0]["cell"]}"',
        "```",
        "",
    ]
    machines = sorted({machine for row in rows for machine in report.machines(row)})
    letters = {machine: chr(ord("A") + place) for place, machine in enumerate(machines)}
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(_cells(row, letters)) + " |" for row in rows]
    named = "; ".join(f"{letter}: {machine}" for machine, letter in letters.items())
    lines += [
        "",
        f"Machines: {named}. [The study's own page](../../../results/{name}/README.md).",
        "",
    ]
    return lines


def _cells(row: dict[str, Any], letters: dict[str, str]) -> tuple[str, ...]:
    span = report.interval(row)
    commits = {
        entry.get("commit", row["commit"]) for entry in row.get("by_seed", {"": row}).values()
    }
    return (
        f"`{row['cell']}`",
        row["metric"].replace("_", " "),
        report.paper_text(row),
        report.value_text(row),
        f"{span[0]:.3f} to {span[1]:.3f}" if span else "",
        str(row["seeds"]),
        ", ".join(sorted(letters[machine] for machine in report.machines(row))),
        ", ".join(sorted(f"`{short_commit(commit)}`" for commit in commits)),
    )


def short_commit(commit: str | None) -> str:
    """Return a commit's first digits, with + where there were changes besides.

    >>> short_commit("a4b08b5d37b74be6767eaea6c2a982b9d30ed177-dirty"), short_commit(None)
    ('a4b08b5+', 'unknown')
    """
    if not commit:
        return "unknown"
    digits, _, changed = commit.partition("-")
    return digits[:7] + ("+" if changed else "")
