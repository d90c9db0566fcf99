"""Searches: they repeat themselves, go on where they were stopped, end hopeless runs early, and refuse in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from fastweights.cli import main
from fastweights.cli.parsing import parse
from fastweights.cli.tune import Tune
from fastweights.errors import UserError
from fastweights.experiments import registry, search_space, tuning
from fastweights.experiments.retrieval import RETRIEVAL
from fastweights.experiments.retrieval.options import RetrievalOptions
from fastweights.experiments.search import Search, Trial
from fastweights.experiments.search_space import Choices, Range, Values
from fastweights.experiments.trial import TrialRun, run_trial
from fastweights.experiments.tuning import tune
from fastweights.training.engine import progress

SPACE = {"learning_rate": Range(1e-3, 1e-1, log=True), "hidden": Choices(("2", "3"))}


def build(values: Values) -> RetrievalOptions:
    rate, hidden = float(values.get("learning_rate", 1e-2)), int(values["hidden"])
    return RetrievalOptions(
        steps=8, evaluation_interval=2, batch=4, test_samples=4, learning_rate=rate, hidden=hidden
    )


def search(**changes: object) -> Search:
    given = {"experiment": RETRIEVAL, "space": SPACE, "build": build, "trials": 7} | changes
    return Search(**given)


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Ctrl-C at the beginning of the trial of a number."""

    def stop(number: int) -> None:
        def interrupted(run: TrialRun) -> object:
            if run.folder.name == f"trial-{number}":
                raise KeyboardInterrupt
            return run_trial(run)

        monkeypatch.setattr(tuning, "run_trial", interrupted)

    return stop


def run(folder: Path, changed: Search | None = None, **options: object) -> list[Trial]:
    trials = tune(changed or search(), results=folder / "results", runs=folder / "runs", **options)
    return [trial._replace(seconds=0.0) for trial in trials]


@pytest.mark.usefixtures("unsynced")
def test_a_search_repeats_itself_and_its_best_is_first(tmp_path: Path) -> None:
    first = run(tmp_path / "a")
    assert first == run(tmp_path / "b")
    assert sorted(trial.number for trial in first) == [*range(7)]
    complete = [trial.value for trial in first if trial.state == "complete"]
    assert complete == sorted(complete) and len(complete) >= 5
    assert run(tmp_path / "c", search(seed=1)) != first


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("number", [0, 3, 6])
def test_a_stopped_search_goes_on_as_if_it_had_not_been(
    number: int, stop: Callable[[int], None], tmp_path: Path
) -> None:
    whole = run(tmp_path / "whole")
    stop(number)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut")
    stop(-1)
    assert run(tmp_path / "cut") == whole


@pytest.mark.usefixtures("unsynced")
def test_more_trials_are_added_to_those_there_are(tmp_path: Path) -> None:
    some = run(tmp_path, search(trials=3))
    more = run(tmp_path, search(trials=5))
    assert (
        len(more) == 5
        and {trial.number: trial for trial in more}.items()
        >= {trial.number: trial for trial in some}.items()
    )
    assert run(tmp_path, search(trials=2)) == more


@pytest.mark.usefixtures("unsynced")
def test_a_grid_is_tried_in_order(tmp_path: Path) -> None:
    space = {"hidden": Choices(("2", "3")), "learning_rate": Choices(("0.1", "0.01"))}
    grid = search(space=space, sampler="grid", trials=None, prune=False)
    trials = sorted(run(tmp_path, grid))
    pairs = [tuple(trial.values.values()) for trial in trials]
    assert pairs == [("2", "0.1"), ("2", "0.01"), ("3", "0.1"), ("3", "0.01")]


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("begun", [False, True])
def test_a_run_below_the_median_ends_early(begun: bool, tmp_path: Path) -> None:
    """Also one that was stopped between its evaluation and its end."""
    hopeless = [{step: -float(step) for step in (0, 2, 4, 6, 8)}] * 5
    trial = TrialRun(RETRIEVAL, build({"hidden": "2"}), tmp_path / "run", float("inf"), None)
    if begun:
        whole = run_trial(trial)
        assert whole is not None and whole["steps"] == 8 and "pruned_at" not in whole
    ended = run_trial(trial._replace(curves=hopeless))
    assert ended is not None and ended["pruned_at"] == ended["steps"] == (8 if begun else 2)
    fine = [dict.fromkeys((0, 2, 4, 6, 8), 1e3)] * 5
    kept = run_trial(trial._replace(folder=tmp_path / "other", curves=fine))
    assert kept is not None and "pruned_at" not in kept


@pytest.mark.usefixtures("unsynced")
def test_optunas_own_tools_may_follow(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'trials.db'}"
    trials = run(tmp_path, search(trials=3), storage=address)
    study = optuna.load_study(study_name=search().name, storage=address)
    assert sorted(trial.value for trial in study.trials) == [trial.value for trial in trials]
    run(tmp_path, search(trials=4), storage=address)
    study = optuna.load_study(study_name=search().name, storage=address)
    assert sorted(trial.user_attrs["trial"] for trial in study.trials) == [0, 1, 2, 3]


@pytest.mark.slow
def test_processes_side_by_side(tmp_path: Path) -> None:
    trials = run(tmp_path, search(trials=4), jobs=2)
    assert sorted(trial.number for trial in trials) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning-rate", "takes FIELD=a,b,c or FIELD=low:high"),
        ("learning-rate=", "takes FIELD=a,b,c or FIELD=low:high"),
        ("hidden=3,3", "apart from one another"),
        ("hidden=1:two", "a range is low:high or low:high:log"),
        ("hidden=3:2", "rises from one number to another, not 3:2"),
        ("learning-rate=0:1:log", "begins above 0"),
        ("learning-rate=0:inf", "rises from one number to another"),
    ],
)
def test_a_space_that_is_none(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        search_space.parse(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--search", "learning-rat=1,2"], "did you mean 'learning_rate'"),
        (["--search", "learning-rate=1,2", "--learning-rate", "1"], "is given twice"),
        (["--search", "hidden=1.5:2.5"], "--hidden"),
        (["--search", "model=lstm,ltsm"], "did you mean 'lstm'"),
        (
            ["--search", "hidden=2,3", "learning-rate=1:2", "--sampler", "grid"],
            "a grid takes choices",
        ),
        (["--trials", "0"], "trials must be at least 1"),
        (["--jobs", "0"], "jobs must be at least 1"),
        (["--budget", "0"], "more than 0 minutes"),
    ],
)
def test_what_cannot_be_searched_is_said_and_leaves_nothing(
    words, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["tune", "retrieval", *words]) == 2
    complaint = capsys.readouterr().err
    assert said in complaint and len(complaint.splitlines()) == 1
    assert not [*tmp_path.iterdir()]


def test_data_that_is_not_there_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["tune", "glimpses", "--data-dir", "nowhere", "--trials", "2"]) == 2
    assert "data get mnist" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_without_optuna(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.chdir(tmp_path)
    assert main(["tune", "retrieval"]) == 2
    assert 'pip install "fastweights[tune]"' in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


@pytest.mark.usefixtures("unsynced")
def test_the_command_shows_what_to_train(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    line = ["tune", "retrieval", "--steps", "2", "--batch", "4", "--search", "hidden=2,3"]
    line += ["recurrent-scale=0:0.1", "--trials", "2", "--no-prune"]
    assert main([*line, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["trials"]) == 2 and told["best"][::2] == ["--hidden", "--recurrent-scale"]
    assert main(line) == 0
    out = capsys.readouterr().out
    assert "2 trials, the best first" in out
    assert "train it: fastweights train retrieval --steps 2 --batch 4 --hidden" in out


@pytest.mark.usefixtures("unsynced")
def test_options_of_the_backbone_are_searched_beside_those_that_are_set(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    line = ["tune", "catch", "--size", "5", "--visible", "2", "--hidden", "6", "--agents", "8"]
    line += ["--updates", "2", "--evaluation-episodes", "10", "--test-episodes", "40"]
    line += ["--set", "nonlinearity=relu", "--search", "norm-gain=0.5:1", "--trials", "2", "--json"]
    assert main(line) == 0
    told = json.loads(capsys.readouterr().out)
    best, *_ = told["trials"]
    gain = best["values"]["norm_gain"]
    assert told["best"] == ["--set", "nonlinearity=relu", f"norm_gain={gain}"]
    config = json.loads(
        next(tmp_path.glob(f"runs/*/trial-{best['number']}/config.json")).read_text()
    )
    assert config["model"]["options"]["norm_gain"] == gain
    assert config["model"]["options"]["nonlinearity"] == "relu"


@pytest.mark.parametrize(
    ("study", "given", "searched"),
    [
        (
            "ba2016-catch-tuning",
            ["--size", "24", "--visible", "5"],
            ["model=fast-weights,lstm,irnn", "learning-rate=1.5e-3,3e-3,6e-3"],
        ),
        (
            "ba2016-table2-tuning",
            ["--steps", "4000", "--model", "lstm"],
            ["reading=plain,hierarchical", "learning-rate=8e-3,4e-3,2e-3"],
        ),
    ],
)
def test_a_grid_on_the_command_line_is_the_studys(
    study: str, given: list[str], searched: list[str]
) -> None:
    recorded = registry.studies()[study]
    cells = [recorded.plan(cell).fingerprint() for cell in recorded.cells]
    command = Tune[recorded.experiment.options]
    tried = [
        recorded.experiment.plan(parse("tune", command, [*given, *words]).experiment).fingerprint()
        for words in map(
            search_space.words, search_space.grid(dict(map(search_space.parse, searched)))
        )
    ]
    first = cells.index(tried[0])
    assert cells[first : first + len(tried)] == tried and len(tried) > 5


@pytest.mark.usefixtures("unsynced")
def test_in_a_pipe_a_trial_is_a_line_and_a_long_one_a_line_a_tenth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 100_000, 5))
    monkeypatch.chdir(tmp_path)
    words = (
        "tune retrieval --steps 40 --evaluation-interval 2 --batch 2 --test-samples 2 --hidden 2"
    )
    monkeypatch.setattr(progress, "UNSAID", 1e9)
    assert main([*words.split(), "--trials", "2", "--runs", "short"]) == 0
    assert [line[:5] for line in capsys.readouterr().err.splitlines()] == ["[1/2]", "[2/2]"]
    monkeypatch.setattr(progress, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(progress, "UNSAID", 2.0)
    assert main([*words.split(), "--trials", "1", "--no-prune", "--runs", "long"]) == 0
    *between, last = capsys.readouterr().err.splitlines()
    assert last.startswith("[1/1]") and 1 <= len(between) <= 11
    told = [line for line in between if line.startswith("fast-weights, 4 pairs: ")]
    assert len(between) - len(told) <= 1  # of its test, which takes as long by that clock
