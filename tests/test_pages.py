"""What the pages say: numbers are those of `results/`, links and commands exist, the example that needs data runs."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from fastweights.cli import main
from fastweights.training.engine import seeds

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "results").rglob("*.md")]
STEPS, ROWS = 3, 4


def named_files(page: Path) -> set[str]:
    """Return the files of the source that a page names, but for those that a reader is to add."""
    return {name for name in re.findall(r"`([\w/]+\.py)`", page.read_text()) if "X" not in name}


def command_names() -> list[str]:
    """Return the commands that `fastweights --help` lists, `train text` and the like; of one for all tasks, for one."""
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        main(["--help"])
    listed = shown.getvalue().replace("TASK     ", "retrieval")
    return re.findall(r"│ ([a-z][a-z-]*(?: [a-z-]+)?) +│", listed)


COMMANDS = command_names()


def tables(page: Path) -> Iterator[list[str]]:
    """Yield the rows of a page's tables, cell by cell."""
    for line in page.read_text().splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def numbers(text: str) -> list[str]:
    """Return the decimal numbers of a text as they are written, without those within names."""
    return re.findall(r"(?<![\w.-])-?\d[\d,]*(?:\.\d+)?(?![\w.])", text)


def rounded(written: str, values: list[float]) -> bool:
    """Return whether one of the values is what was written, at the written number of places."""
    plain = written.replace(",", "")
    places = len(plain.partition(".")[2])
    digits = len(plain.lstrip("-0.").replace(".", ""))
    exact = {f"{value:.{places}f}" for value in values}
    significant = {float(f"{value:.{max(digits, 3)}g}") for value in values}
    return plain in exact or float(plain) in significant


def recorded(study: str) -> list[float]:
    """Return every value that a study's rows hold, the published ones and minutes of training among them."""
    found = []
    for line in (ROOT / "results" / study / "cells.jsonl").read_text().splitlines():
        row = json.loads(line)
        times = [row["seconds"], row["seconds"] / 60]
        found += [row[key] for key in ("value", "sd", "paper", "seeds") if row[key] is not None]
        found += [*times, row["hidden"]]
    return found


def test_results_of_the_readme_are_recorded() -> None:
    rows = [row for row in tables(ROOT / "README.md") if "](results/" in row[0]]
    assert len(rows) == 7
    for name, *cells in rows:
        study = name.partition("](results/")[2].partition("/")[0]
        told = [
            number for cell in cells for number in numbers(cell.replace("random moves 45.35", ""))
        ]
        assert told and [each for each in told if not rounded(each, recorded(study))] == []


def measured(node: object) -> Iterator[float]:
    """Yield the times of a benchmark's JSON: each number below "milliseconds"."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield from child.values() if key == "milliseconds" else measured(child)
    elif isinstance(node, list):
        for child in node:
            yield from measured(child)


@pytest.mark.parametrize(
    ("page", "first", "count"), [("README.md", "×", 3), ("docs/speed.md", "", 26)]
)
def test_times_of_the_pages_are_recorded(page: str, first: str, count: int) -> None:
    times = [
        value
        for path in (ROOT / "results" / "bench").glob("*.json")
        for value in measured(json.loads(path.read_text()))
    ]
    rows = [row for row in tables(ROOT / page) if first in row[0] and numbers(" ".join(row[1:]))]
    assert len(rows) == count
    told = [
        number
        for row in rows
        for cell in row[1:]
        for number in numbers(re.sub(r"\d+ %|AVX-512|the \d+th", "", cell))
    ]
    assert [each for each in told if not rounded(each, times)] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 110
    assert len((ROOT / "docs" / "architecture.md").read_text().splitlines()) <= 90


@pytest.mark.parametrize(
    ("page", "below"),
    [("architecture.md", ""), ("fast-weight-memory.md", "ops/delta_memory")],
)
def test_files_that_the_pages_name_exist(page: str, below: str) -> None:
    named = named_files(ROOT / "docs" / page)
    files = [
        path.as_posix()
        for place in (ROOT / "src" / "fastweights" / below, ROOT / "tests")
        for path in place.rglob("*.py")
    ]
    assert len(named) > 8
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in files)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


def commands() -> dict[str, set[str]]:
    """Return the options that pages name behind each command, `train text` and the like."""
    found: dict[str, set[str]] = {}
    names = "|".join(sorted(COMMANDS, key=len, reverse=True))
    for page in PAGES:
        for name, rest in re.findall(rf"fastweights ({names})\b([^\n`]*)", page.read_text()):
            words = re.sub(r"torchrun.*", "", rest)
            found.setdefault(name, set()).update(re.findall(r"(?<!\S)--[a-z][a-z-]*", words))
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_of_the_pages_have_their_options(name: str, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit, match="0"):
        main([*name.split(), "--help"])
    known = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    named = commands()
    assert name in named
    assert named[name] <= known


def test_every_command_that_pages_name_exists() -> None:
    first = {name.split()[0] for name in COMMANDS}
    for page in PAGES:
        blocks = re.findall(r"^```\n(.*?)^```", page.read_text(), re.S | re.M)
        lines = [line for block in blocks for line in block.splitlines()]
        words = [line.split() for line in lines if line.startswith("fastweights ")]
        assert {line[1] for line in words} <= first
        assert {" ".join(line[1:3]) for line in words if line[1] == "train"} <= set(COMMANDS)


@pytest.fixture
def code(release, monkeypatch) -> str:
    """The example of docs/catbabi.md, with fewer steps and rows and the data of the tests."""
    monkeypatch.setenv("FASTWEIGHTS_DATA", str(release.parent))
    page = (ROOT / "docs" / "catbabi.md").read_text()
    (text,) = re.findall(r"## For your own model.*?```python\n(.*?)```", page, re.S)
    assert "range(4000)" in text and len(text.split("task = ")[1].splitlines()) == 10
    assert "batch=32" in text
    return text.replace("range(4000)", f"range({STEPS})").replace("batch=32", f"batch={ROWS}")


def test_any_model_is_trained_and_scored_on_catbabi(code, catbabi, capsys):
    ours: dict = {}
    torch.manual_seed(1)
    exec(compile(code, "catbabi.md", "exec"), ours)

    torch.manual_seed(1)
    model, state, losses = ours["Mine"](catbabi.classes), None, []
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    rows = catbabi.streams(ROWS, seed=seeds.derive(0, "training"))
    for _ in range(STEPS):
        tokens, targets, _, answers, _ = rows.next(200)
        logits, state = model(tokens, None if state is None else state.detach())
        losses.append(F.cross_entropy(logits[answers], targets[answers]))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    torch.testing.assert_close(ours["loss"], losses[-1])
    assert losses[-1] < losses[0]
    for theirs, weight in zip(ours["model"].parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(theirs, weight)

    (whole,) = catbabi.segments("test", 1, 10**6)
    with torch.no_grad():
        logits, _ = model(whole.tokens)
    right = (logits.argmax(-1) == whole.targets)[whole.answers].float().mean()
    printed = capsys.readouterr().out
    assert (
        f"'answers': {int(whole.answers.sum())}" in printed and "'per_task_accuracy': [" in printed
    )
    assert float(re.search(r"'accuracy': ([\d.]+)", printed)[1]) == pytest.approx(float(right))
