"""The report: intervals against the density they are of, machines told apart, one row a study in the summary."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from fastweights.errors import UserError
from fastweights.experiments import ledger, report

RESULTS = Path(__file__).parents[2] / "results"


def row(**changes) -> dict:
    """Return a recorded row of three seeds on one machine."""
    seeds = {str(seed): {"value": float(seed), "seconds": 2.0 + seed} for seed in range(3)}
    known = {
        "recipe": "tiny",
        "cell": "one",
        "model": "lstm",
        "mode": "H=4",
        "metric": "test_error",
    }
    known |= {"value": 1.0, "sd": 1.0, "median": 1.0, "seeds": 3, "paper": 1.5, "reach": None}
    known |= {"met": None, "steps": 10, "seconds": 3.0, "backend": "cpu", "machine": "one machine"}
    return {**known, "by_seed": seeds, **changes}


def record(folder: Path, *rows: dict) -> None:
    folder.mkdir(parents=True)
    (folder / "cells.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))


@pytest.mark.parametrize("seeds", [3, 4, 10, 20])
def test_an_interval_holds_95_percent_of_students_t(seeds: int) -> None:
    low, high = report.interval(row(sd=math.sqrt(seeds), seeds=seeds))  # a standard error of 1
    degrees = seeds - 1
    t = np.linspace(low - 1, high - 1, 100_001)
    density = np.exp(
        math.lgamma((degrees + 1) / 2)
        - math.lgamma(degrees / 2)
        - (degrees + 1) / 2 * np.log1p(t**2 / degrees)
    ) / math.sqrt(math.pi * degrees)
    assert (low + high) / 2 == pytest.approx(1.0)
    assert np.trapezoid(density, t) == pytest.approx(0.95, abs=1e-4)


def test_quantiles_fall_towards_the_normal_one() -> None:
    assert list(report.T_QUANTILES) == sorted(report.T_QUANTILES, reverse=True)
    assert report.T_QUANTILES[-1] > 1.96


@pytest.mark.parametrize(
    "changes", [{"seeds": 2}, {"seeds": 1, "sd": None}, {"value": None}, {"diverged": 1}]
)
def test_no_interval_of_too_few_seeds_or_of_those_that_survived(changes: dict) -> None:
    assert report.interval(row(**changes)) is None


def test_a_row_of_one_seed_says_so(tmp_path: Path) -> None:
    one = row(value=0.5, sd=None, median=0.5, seeds=1, seconds=1.0)
    one["by_seed"] = {"0": {"value": 0.5, "seconds": 1.0}}
    record(tmp_path / "tiny", one, row(cell="two"))
    report.write(tmp_path)
    page = (tmp_path / "tiny" / "README.md").read_text()
    assert "| 0.500 (one seed) |" in page and "| 1.000 ± 1.000 | [-1.484, 3.484] | 3 |" in page


def test_training_times_of_two_machines_are_not_averaged(tmp_path: Path) -> None:
    both = row(machine="new; old")
    for seed, machine in (("0", "old"), ("1", "new"), ("2", "old")):
        both["by_seed"][seed]["machine"] = machine
    record(tmp_path / "tiny", both)
    report.write(tmp_path)
    page = (tmp_path / "tiny" / "README.md").read_text()
    assert "| A 3.0, B 3.0 |" in page and "Machine: A new; B old." in page
    assert report.cells([row()])[0][10] == "3.0"


def test_the_summary_has_a_row_a_study_and_names_what_lies_beside(tmp_path: Path) -> None:
    aimed = row(cell="two", reach="worst ≤ 1", met=False, value=2.5, median=2.5, model="fwm")
    for entry in aimed["by_seed"].values():
        entry["value"] += 1.5
    record(tmp_path / "aimed", row(), aimed)
    record(tmp_path / "grid", row(paper=None), row(cell="two", paper=None))
    (tmp_path / "aimed" / "tried.md").write_text("# Tried\n")
    (tmp_path / "bench").mkdir()
    text = report.write(tmp_path).read_text()
    (first, second) = [line for line in text.splitlines() if line.startswith("| [")]
    assert "fwm, H=4 | test error | 2.500" in first and first.endswith("| 2 | 0 of 1 |")
    assert second.endswith("|  |  |  |  | 2 |  |")
    assert "`bench/`" in text and "`official/`" not in text
    assert "[tried](tried.md)" in (tmp_path / "aimed" / "README.md").read_text()


def test_no_page_is_written_through_a_link(tmp_path: Path) -> None:
    record(tmp_path / "mine", row())
    before = sorted((tmp_path / "mine").rglob("*"))
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "linked").symlink_to(before[0].parent)
    with pytest.raises(UserError, match="linked: it is a link"):
        report.write(tmp_path / "results")
    assert sorted((tmp_path / "mine").rglob("*")) == before


def test_the_pages_of_this_repository_name_every_recorded_cell() -> None:
    for path in RESULTS.glob("*/cells.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        lines = iter(path.with_name("README.md").read_text().splitlines())
        next(line for line in lines if line.startswith("| "))  # the first table's; others follow
        table = itertools.takewhile(lambda line: line.startswith("|"), lines)
        for each, shown in zip(rows, [*table][1:], strict=True):
            cells = [cell.strip() for cell in shown.split("|")[1:-1]]
            value = each["value"]
            begins = "diverged" if value is None else f"{value:.3f}"
            assert cells[1] == each["mode"] and cells[3].startswith(begins)


@pytest.mark.parametrize("name", ["value", "sd", "median", "seeds", "seconds"])
def test_an_edited_figure_of_an_unchecked_row_is_told_from_its_seeds(name, tmp_path: Path) -> None:
    record(tmp_path / "tiny", row(), row(cell="two", **{name: 2 if name == "seeds" else 1.25}))
    with pytest.raises(UserError, match=f"line 2, was changed: its {name} is not that of its seed"):
        report.check(tmp_path)


@pytest.mark.parametrize("seeds", [{"0": {}}, {}, [], {"0": 3}, {"x": {"value": 1, "seconds": 1}}])
def test_seeds_that_are_none_are_told(seeds, tmp_path: Path) -> None:
    record(tmp_path / "tiny", row(by_seed=seeds))
    with pytest.raises(UserError, match="line 1, was changed: its by_seed"):
        report.check(tmp_path)


def test_an_edited_digit_of_a_checked_row_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tiny" / "cells.jsonl"
    ledger.write_rows(path, [row()])
    assert ledger.recorded(path) == [row()]
    path.write_text(path.read_text().replace('"steps": 10', '"steps": 11'))
    with pytest.raises(UserError, match="line 1, was changed: it does not match its check"):
        report.check(tmp_path)


def test_a_median_is_shown_where_one_was_aimed_at():
    aimed = {"value": 2.0, "sd": 0.5, "median": 1.75, "seeds": 3}
    assert report.value_text(row(**aimed, reach="median ≤ 2")) == "2.000 ± 0.500 (median 1.750)"
    assert report.value_text(row(**aimed, reach="worst ≤ 2")) == "2.000 ± 0.500"
    assert report.value_text(row(**aimed | {"median": None}, reach="median ≤ 2")) == "2.000 ± 0.500"
