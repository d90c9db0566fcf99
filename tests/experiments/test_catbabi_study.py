"""A small study of catbAbI: cells with a time of their own, cut short, skipped when done, gone on with for longer."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from pathlib import Path
from unittest import mock

import pytest

from fastweights.errors import UserError
from fastweights.experiments import registry, report, runner
from fastweights.experiments.catbabi import CATBABI, made_study
from fastweights.experiments.catbabi.grids import grids
from fastweights.experiments.catbabi.made_study import (
    METRIC,
    MODELS,
    ON_RELEASE,
    generated,
    lookback,
)
from fastweights.experiments.catbabi.options import CatBAbIOptions
from fastweights.experiments.catbabi.study import ablations, long, table1
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.study import Cell, Study
from fastweights.tasks.babi import files
from pictures import assert_drawn

pytestmark = pytest.mark.usefixtures("unsynced")


@pytest.fixture
def options(release: Path) -> CatBAbIOptions:
    return CatBAbIOptions(data_dir=release, hidden=8, embedding=6, length=10, batch=2, steps=3)


def study(options: CatBAbIOptions, minutes: float | None = None) -> Study:
    """Two models, with a time if `minutes` says one."""
    options = dataclasses.replace(
        options, minutes=minutes, steps=options.steps if minutes is None else None
    )
    fwm = dataclasses.replace(options, memory_size=4)
    lstm = dataclasses.replace(options, model="lstm", mode="lm")
    cells = (
        Cell("fwm qa", fwm, metric=METRIC, seeds=1, paper=96.75, mode="QA"),
        Cell("lstm lm", lstm, metric=METRIC, seeds=1, mode="LM"),
    )
    return Study(CATBABI, "tiny", "a tiny study", cells, modes=True)


def run(tmp_path: Path, wanted: Study, **given) -> tuple[list[str], list[dict]]:
    told: list[str] = []
    ledger = reproduce(
        wanted,
        results=tmp_path / "results",
        runs=tmp_path / "runs",
        on_progress=lambda p: told.append(
            f"{p.cell} {p.seed}" + (" cut" if p.entry is None else "")
        ),
        **given,
    )
    return told, list(ledger.rows.values())


def test_rows_skipping_and_more_seeds(options, tmp_path):
    told, rows = run(tmp_path, study(options), only="fwm*")
    assert told == ["fwm qa 0"]
    told, rows = run(tmp_path, study(options))
    assert told == ["lstm lm 0"]
    assert [row["task"] for row in rows] == ["catbAbI, qa", "catbAbI, lm"]
    assert [row["steps"] for row in rows] == [3, 3] and rows[0]["paper"] == 96.75
    results = [
        json.loads(path.read_text()) for path in sorted((tmp_path / "runs").rglob("result.json"))
    ]
    assert [row["value"] for row in rows] == [result[METRIC] for result in results]
    assert run(tmp_path, study(options))[0] == []
    told, rows = run(tmp_path, study(options), only="lstm lm", seeds=2)
    assert told == ["lstm lm 1"] and [row["seeds"] for row in rows] == [1, 2]
    written = report.write(tmp_path / "results").read_text()
    assert "fwm" in written and "96.75" in written


def test_a_budget_cuts_short_what_the_next_call_goes_on_with(options, tmp_path, monkeypatch):
    whole = run(tmp_path / "whole", study(options))[1]
    clock = iter(
        [0.0] * 4
    )  # the deadline, and the looks at it before the second step of the first cell
    with monkeypatch.context() as patch:
        patch.setattr("fastweights.experiments.reproduce.time.time", lambda: next(clock, 100.0))
        told, rows = run(tmp_path, study(options), budget_minutes=1)
    assert told == ["fwm qa 0 cut"] and rows == []
    told, rows = run(tmp_path, study(options))
    assert told == ["fwm qa 0", "lstm lm 0"]
    assert [row["value"] for row in rows] == [row["value"] for row in whole]


def test_more_minutes_go_on_with_the_same_runs(options, tmp_path):
    short = study(options, minutes=1e-6)
    told, rows = run(tmp_path, short)
    assert told == ["fwm qa 0", "lstm lm 0"] and [row["steps"] for row in rows] == [1, 1]
    assert run(tmp_path, short)[0] == []
    longer = max(row["seconds"] for row in rows) + 0.05  # however long the one step took
    told, rows = run(tmp_path, study(options, minutes=longer / 60))
    assert told == ["fwm qa 0", "lstm lm 0"]
    assert all(row["steps"] > 1 and row["seconds"] >= longer - 0.01 for row in rows)
    assert len(list((tmp_path / "runs" / "tiny").iterdir())) == 2
    assert run(tmp_path, short)[0] == []  # a shorter time is done already
    with pytest.raises(UserError, match=r"'fwm qa' is of runs of .* minutes, this one would be"):
        run(tmp_path, short, seeds=2)  # one figure would stand for both times


def test_the_studies_hold_what_the_paper_has():
    table, whole = table1(CATBABI), long(CATBABI)
    cells = table.cells
    assert len(cells) == len({cell.name for cell in cells}) == 2 * len(MODELS)
    prints = {table.fingerprint(cell) for cell in (*cells, *whole.cells)}
    assert len(prints) == len(cells) + len(whole.cells)
    published = {cell.name: cell.paper for cell in cells if cell.paper is not None}
    assert published["fwm qa"] == 96.75 and published["fwm lm"] == 93.04
    changed = ablations(CATBABI)
    assert len({changed.fingerprint(cell) for cell in changed.cells}) == 7


def test_the_studies_of_generated_stories():
    """Every model in both modes at equal time; the paper's figures in a column that says what they are."""
    cells = made_study.table1(CATBABI).cells
    assert {cell.name for cell in cells} == {f"{m} {mode}" for m in MODELS for mode in ("qa", "lm")}
    assert {(cell.options.minutes, cell.metric, cell.paper) for cell in cells} == {
        (45.0, ON_RELEASE, None)
    }
    assert cells[0].besides == {"paper, its data and protocol": 96.75}
    study = lookback(CATBABI)
    assert len(study.cells) == len({study.fingerprint(cell) for cell in study.cells}) == 12
    folders = [study.folder_name(cell) for cell in study.cells]
    assert [folders.count(folder) for folder in folders] == [4] * 12
    tested = [cell.tested_on for cell in study.cells[:4]]
    assert [(each["names"], each["window"]) for each in tested if each] == [
        *(("release", 5), ("release", 10), ("release", 20), ("held-out", 5))
    ]
    seeds = {cell.name: cell.seeds for cell in (*ablations(CATBABI).cells, *long(CATBABI).cells)}
    assert seeds["one read"] == seeds["keys concatenated"] == seeds["fwm qa"] == 3


def test_the_grids_are_the_papers():
    """Ten points of the FWM with two seeds, 16 of the MNM, the 12 of figure 16; no picture of more than seven."""
    cells = grids(CATBABI).cells
    models = Counter(cell.options.model for cell in cells if cell.mode != "longer")
    assert (models["fwm"], models["mnm"], models["fast-weights"]) == (10, 16, 12)
    assert {cell.seeds for cell in cells if cell.name.startswith("fwm, batch")} == {2}
    assert max(Counter(cell.mode for cell in cells).values()) <= 7
    for cell in cells:
        plan = CATBABI.plan(cell.options)
        plan.network()  # refuses what the backbone does not have
        assert plan.batch in (64, 128) and plan.schedule == "constant"


def smallest(wanted: Study, names: tuple[str, ...], **changes: object) -> Study:
    """Return a study with cells of these names alone, each a run of a moment."""
    tiny = {"hidden": 8, "embedding": 6, "length": 10, "batch": 2, "steps": 3, "minutes": None}
    return dataclasses.replace(
        wanted,
        cells=tuple(
            dataclasses.replace(
                cell,
                seeds=1,
                options=dataclasses.replace(
                    cell.options,
                    **tiny,
                    **changes,
                    memory_size=4 if cell.options.model == "fwm" else None,
                ),
            )
            for cell in wanted.cells
            if cell.name in names
        ),
    )


@pytest.mark.usefixtures("few", "own_cache")
@pytest.mark.parametrize(
    ("wanted", "names", "pictures", "said"),
    [
        (
            made_study.table1(CATBABI),
            ("fwm qa", "gated-deltanet qa", "fwm lm"),
            ["table", "tasks-lm", "tasks-qa"],
            [
                "| task | fwm | gated-deltanet |",
                "| 16 basic induction |",
                "paper, its data and protocol",
            ],
        ),
        (
            lookback(CATBABI),
            ("fwm, window 5", "fwm, window 20", "fwm, held-out names"),
            [],
            ["| fwm | window 20 | accuracy percent |"],
        ),
        (
            ablations(CATBABI),
            ("three reads", "one read", "keys concatenated", "residual"),
            ["curves-keys", "curves-reads", "tasks-keys", "tasks-reads"],
            ["appendix E", "![Schlag et al. 2021, appendix E: ablations, tasks reads](tasks-re"],
        ),
        (
            grids(CATBABI),
            (
                "fwm, batch 64, rate 0.001",
                "fwm, batch 64, rate 0.002",
                "fast-weights, batch 64, rate 0.00025, hidden 512, η 1, λ 0.99",
                "fwm, longer",
            ),
            ["curves-fast-weights-batch-64", "curves-fwm-batch-64", "curves-longer"],
            ["appendix F", "instead of its 3,000"],
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_study_ends_in_rows_and_pictures(wanted, names, pictures, said, tmp_path, monkeypatch):
    files.write(
        tmp_path / "made", stories=2
    )  # the words of the release; each file's last story is lost
    tiny = smallest(wanted, names, data_dir=tmp_path / "made")
    monkeypatch.setattr(registry, "studies", lambda: {tiny.name: tiny})
    told, rows = run(tmp_path, tiny)
    assert len(told) == len(rows) == len(names)
    if wanted.name == "catbabi-lookback":
        assert len(list((tmp_path / "runs" / tiny.name).iterdir())) == 1, "one run, tested thrice"
    report.write(tmp_path / "results")
    folder = tmp_path / "results" / tiny.name
    page = (folder / "README.md").read_text()
    assert sorted(path.stem for path in folder.glob("*.png")) == pictures
    for path in folder.glob("*.png"):
        assert_drawn(path)
        assert f"({path.name})" in page
    assert all(each in page for each in said)


def test_the_runs_under_way_are_still_of_the_study():
    """A field that came later and is not given enters no fingerprint: a run of hours goes on."""
    runs = {cell.name: generated(CATBABI).fingerprint(cell) for cell in generated(CATBABI).cells}
    assert runs["fwm qa"] == "2-896089cec6b6"  # as it was before there were subquestions
    assert len(set(runs.values())) == len(runs)
    made = CatBAbIOptions(stories="generated")
    assert CATBABI.plan(made).fingerprint() == "2-32a33f9f7a40"
    for change in (
        {"pool": 9, "pool_tasks": (4,)},
        {"people": 3},
        {"things": 2},
        {"window": 6},
        {"questions": 5},
    ):
        changed = CATBABI.plan(dataclasses.replace(made, **change))
        assert changed.fingerprint() != "2-32a33f9f7a40"


@pytest.fixture
def few(monkeypatch, tmp_path):
    """Few generated validation and test stories, the first draw of each, and no data but what a test names."""
    for split in ("valid", "test"):
        monkeypatch.setitem(files.RELEASED, split, dict.fromkeys(range(1, 21), 2))
    monkeypatch.setattr(sys.modules[files.make.__module__], "split_of", lambda *of: mock.ANY)
    monkeypatch.setenv("FASTWEIGHTS_DATA", str(tmp_path / "nothing"))


@pytest.mark.usefixtures("few", "own_cache")
def test_what_cannot_be_measured_is_refused_before_anything_trains(options, release, tmp_path):
    """The release's test split, without the release: one line, and nothing on disk."""
    made = dataclasses.replace(options, stories="generated", tasks=(1, 4), memory_size=4)
    alone = dataclasses.replace(made, data_dir=None)
    damaged = tmp_path / "damaged"
    (damaged / "en-valid-10k").mkdir(parents=True)
    for given, said in (
        (alone, "release_test_accuracy_percent is measured on the release: no bAbI release"),
        (
            dataclasses.replace(made, data_dir=damaged),
            "is measured on the release: .*damaged has no",
        ),
        (options, "is of generated stories: --stories generated"),
    ):
        cells = (
            Cell("first", made, metric=ON_RELEASE, seeds=1),
            Cell("second", given, metric=ON_RELEASE, seeds=1),
        )
        with pytest.raises(UserError, match=said):
            run(tmp_path / "new", Study(CATBABI, "tiny", "a tiny study", cells))
    assert not (tmp_path / "new").exists()
    told, _ = run(tmp_path / "new", Study(CATBABI, "tiny", "a tiny study", cells[:1]))
    assert told == ["first 0"]


@pytest.mark.usefixtures("few", "own_cache")
def test_a_run_that_ended_without_its_metric_is_tested_anew(options, release, tmp_path):
    """Trained where the release was not at hand: the result is named, and training is not repeated."""
    made = dataclasses.replace(options, stories="generated", tasks=(1, 4), memory_size=4)
    wanted = Study(CATBABI, "tiny", "a tiny study", (Cell("a", made, metric=ON_RELEASE, seeds=1),))
    folder = tmp_path / "runs" / "tiny" / wanted.folder_name(wanted.cells[0]) / "seed-0"
    runner.train(CATBABI, dataclasses.replace(made, data_dir=None), folder)
    with pytest.raises(UserError, match=r"result.json has no release_test_accuracy_percent: rem"):
        run(tmp_path, wanted)
    (folder / "result.json").unlink()
    told, (row,) = run(tmp_path, wanted)
    assert told == ["a 0"] and row["value"] is not None
