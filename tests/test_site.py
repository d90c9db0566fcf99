"""The documentation site: every page has its place, every public name and every recorded cell is shown."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest

from fastweights.experiments import registry, report

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from docs_site import docstrings, live, papers, reference, speed  # noqa: E402
from docs_site.addresses import address  # noqa: E402

STUDIES = sorted(path.parent.name for path in (ROOT / "results").glob("*/cells.jsonl"))


@pytest.fixture(scope="module")
def of_papers() -> dict[str, str]:
    return papers.pages(ROOT)


def rows(study: str) -> list[dict]:
    """Return the recorded rows of a study that hold."""
    lines = (ROOT / "results" / study / "cells.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if registry.studies()[study].holds(row)]


@pytest.mark.parametrize("study", STUDIES)
def test_every_cell_stands_on_the_page_of_one_paper(study: str, of_papers) -> None:
    sections = [part for page in of_papers.values() for part in page.split("\n## ")]
    (section,) = (part for part in sections if f"fastweights reproduce {study} " in part)
    for row in rows(study):
        (line,) = (
            each
            for each in section.splitlines()
            if each.startswith(f"| `{row['cell']}` | {row['metric'].replace('_', ' ')} |")
        )
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[2:4] == [report.paper_text(row), report.value_text(row)]
        assert cells[5] == str(row["seeds"]) and row["commit"][:7] in cells[7]


def named_in(source: Path) -> list[str]:
    """Return the names that a module exports, read from its text."""
    for statement in ast.parse(source.read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return ast.literal_eval(statement.value)
    return []


EXPORTING = sorted(
    path
    for path in (ROOT / "src" / "fastweights").rglob("__init__.py")
    if named_in(path) and "cli" not in path.parts
)


@pytest.mark.parametrize("source", EXPORTING, ids=lambda path: path.parent.name)
def test_the_reference_has_every_public_name(source: Path) -> None:
    module = ".".join(source.parent.relative_to(ROOT / "src").parts)
    pages = reference.pages()
    page = pages[f"reference/{module}"]
    for name in named_in(source):
        documented = re.search(rf"^\.\. auto\w+:: {name}$", page, re.M)
        assert documented or f"[`{name}`](" in page or f" `{name}`" in page, name
    assert f"[{module}]({module}.md)" in pages["reference/index"]


def test_what_a_page_of_the_reference_only_mentions_is_documented_on_another() -> None:
    names = {name.rpartition(".")[2] for name in reference.documented_names()}
    modules = {name.rpartition(".")[2] for name in reference.modules()}
    known = names | modules | {"backend"}  # of ops: the module dispatch
    mentioned = {name for source in EXPORTING for name in named_in(source)}
    assert mentioned <= known


def test_every_page_has_its_place_in_the_contents() -> None:
    contents = (ROOT / "docs" / "index.md").read_text().split()
    pages = [path.stem for path in (ROOT / "docs").glob("*.md") if path.stem != "index"]
    assert [name for name in pages if name not in contents] == []
    ops = [path.parent.name for path in (ROOT / "src/fastweights/ops").glob("*/README.md")]
    assert ops and all(f"ops/{name}" in contents for name in ops)
    assert all(f"{page}" in contents for page in papers.pages(ROOT))


def test_addresses_are_short_and_settled() -> None:
    found = {name: address(name) for name in (
        "docs/speed", "docs/notebooks/x", "build/pages/papers/ba2016", "results/README",
        "results/retrieval/README", "src/fastweights/ops/lstm/README", "CODE_OF_CONDUCT",
    )}  # fmt: skip
    assert list(found.values()) == [
        *("speed", "notebooks/x", "papers/ba2016", "results/index", "results/retrieval/index"),
        *("ops/lstm", "code-of-conduct"),
    ]
    assert all(address(each) == each for each in found.values())


def test_equations_of_docstrings_stay_as_they_are() -> None:
    lines = [
        "Add `x` to *lead, y_.",
        "",
        "    y = x_ * |2|",
        "",
        "Args:",
        "    x: of *any.",
        "",
        ">>> 2 * 3",
    ]
    assert docstrings.rewritten(lines) == [
        *("Add ``x`` to \\*lead, y\\_.", "", "::", "", "    y = x_ * |2|", "", "Args:"),
        *("    x: of \\*any.", "", ">>> 2 * 3"),
    ]


def test_every_recorded_time_is_shown() -> None:
    page = speed.pages(ROOT)["speed-history"]
    for path in (ROOT / "results" / "bench").glob("*.json"):
        for case, times, _ in speed.rows(json.loads(path.read_text())):
            assert f"| {case} |" in page
            assert all(f"{value:,.4g}" in page for value in times.values())


def test_live_pages_are_written_and_embedded(tmp_path) -> None:
    live.write(tmp_path / "static")
    written = {path.stem for path in (tmp_path / "static").iterdir()}
    own = tmp_path / "docs" / "_static" / "live" / "a-run.html"
    own.parent.mkdir(parents=True)
    own.write_text("<p>")
    embedded = re.findall(r'<iframe .*src="../_static/live/(.+?).html"', live.page(tmp_path))
    assert written == {"retrieval", "catbabi", "memory"} and set(embedded) == written | {"a-run"}
    assert "\nlive\n" in (ROOT / "docs" / "index.md").read_text()


def test_every_picture_is_in_the_gallery() -> None:
    gallery = (ROOT / "docs" / "gallery.md").read_text()
    pictures = [path.name for path in (ROOT / "docs" / "pictures").iterdir()]
    assert (
        len(pictures) > 10
        and [name for name in pictures if f"pictures/{name})" not in gallery] == []
    )


def test_measured_effects_of_deviations_are_recorded() -> None:
    effects = [
        line.strip().strip("|").split("|")[-1]
        for line in (ROOT / "docs" / "deviations.md").read_text().splitlines()
        if "](../results/" in line
    ]
    assert len(effects) == 9
    for effect in effects:
        study = re.search(r"\.\./results/([\w-]+)/", effect)[1]
        values = [
            value
            for row in rows(study)
            for value in (row["value"], row["paper"])
            if value is not None
        ]
        told = re.findall(r"(?<![\w,.-])\d+\.\d+", effect.partition("[")[0])
        assert told
        for number in told:
            places = len(number.partition(".")[2])
            assert any(f"{value:.{places}f}" == number for value in values), number
