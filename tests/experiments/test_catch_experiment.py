"""The experiment on Catch: what it plans, trains, refuses; its tests, its pictures, its studies."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from fastweights import load, models
from fastweights.errors import UserError
from fastweights.experiments.actor_critic import TEST_SEED, AgentTest, measure
from fastweights.experiments.catch import CATCH, predict
from fastweights.experiments.catch import options as defaults
from fastweights.experiments.catch import study as studies
from fastweights.experiments.catch.options import CatchOptions
from fastweights.experiments.grouping import group
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.plan import Record
from fastweights.experiments.plotting import draw
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.runner import train
from fastweights.experiments.study import Cell, Study
from fastweights.runs import Run
from pictures import assert_drawn

TINY = CatchOptions(
    size=5,
    visible=2,
    hidden=6,
    agents=8,
    updates=6,
    evaluation_interval=2,
    evaluation_episodes=10,
    test_episodes=50,
)


def model_config(options: CatchOptions) -> Record:
    return CATCH.plan(options).model_config()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(CATCH, TINY, folder)
    return folder


def test_the_record_of_a_run(run):
    result = json.loads((run / "result.json").read_text())
    assert result["steps"] == 6 and result["frames"] == 6 * 8 * 4
    assert result["caught"] == pytest.approx((1 + result["test_reward"]) / 2)
    assert result["test_episodes"] == 50 and result["chance"] == pytest.approx(2 / 5 - 1)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 2, 4, 6]
    assert rows[-1]["train_reward"] == result["train_reward"]
    reached = [row["step"] * 32 for row in rows if row["reward"] >= 0.95]
    assert result["frames_to_reach"] == (reached[0] if reached else None)
    task = json.loads((run / "config.json").read_text())["task"]
    options = {"size": 5, "visible": 2, "start": "random", "last_action": True}
    assert task == {"name": "catch", "options": options}


def test_frames_are_those_before_the_first_evaluation_that_is_good_enough(run, monkeypatch):
    from fastweights.training import Outcome

    rows = [{"step": step, "reward": reward} for step, reward in enumerate((-1, 0.949, 0.95, 0.9))]
    outcome = Outcome(3, 1.0, 0.0, rows[-1], rows, False)
    result, shown = predict.evaluate(open_run(run).model, CATCH.plan(TINY), outcome)
    assert result["frames_to_reach"] == 2 * 8 * 4 and shown == []
    monkeypatch.setattr(predict, "GOAL", 0.96)
    assert (
        predict.evaluate(open_run(run).model, CATCH.plan(TINY), outcome).figures["frames_to_reach"]
        is None
    )


@pytest.mark.parametrize("name", ["fast-weights", "lstm", "irnn", "gru-ln", "fwm"])
def test_any_model_acts(name, tmp_path):
    result = train(CATCH, dataclasses.replace(TINY, model=name, updates=2), tmp_path / "run").result
    assert -1 <= result["test_reward"] <= 1


def test_a_run_cut_short_and_resumed_equals_one_that_was_not(run, tmp_path):
    asked = iter([False, False, True])
    assert train(CATCH, TINY, tmp_path / "cut", stop=lambda: next(asked)).interrupted
    result = train(CATCH, TINY, tmp_path / "cut", resume=True).result
    whole = json.loads((run / "result.json").read_text())
    for name in ("test_reward", "train_reward", "frames_to_reach"):
        assert result[name] == whole[name]


def test_a_run_that_ends_at_a_time_goes_on_for_longer(tmp_path):
    timed = dataclasses.replace(TINY, updates=None, minutes=0.002)
    first = train(CATCH, timed, tmp_path / "run").result
    more = dataclasses.replace(timed, minutes=0.002 + first["train_seconds"] / 60)
    assert train(CATCH, more, tmp_path / "run", resume=True).result["steps"] > first["steps"]


def test_the_control_is_the_same_network_without_fast_weights(run):
    control = dataclasses.replace(TINY, rate=0.0)
    assert CATCH.plan(control).folder_name() == "catch-5-2-fast-weights-control-h6-s0"
    config, plain = model_config(control), model_config(TINY)
    assert config["options"].pop("rate") == 0 and plain["options"].pop("rate") > 0
    assert config == plain
    assert models.from_config({**config, "options": {**config["options"], "rate": 0.0}})


def test_backbones_take_further_options():
    recipe = dataclasses.replace(TINY, model="lstm", set=("forget_bias=0.5",), readout=7)
    config = model_config(recipe)
    assert config["options"]["forget_bias"] == 0.5 and config["readout"] == 7


def test_every_form_of_the_fast_weights_takes_their_constants():
    flat = dataclasses.replace(TINY, model="fast-weights-flat")
    given = model_config(dataclasses.replace(flat, rate=0.1))["options"]
    left = model_config(flat)["options"]
    assert given == {**left, "rate": 0.1} and left.get("rate") != 0.1
    said = model_config(dataclasses.replace(flat, set=("rate=0.2",)))["options"]
    assert said == {**left, "rate": 0.2}


@pytest.mark.parametrize(
    "given, told",
    [
        ({"model": "lstm", "rate": 0.1}, "has no rate"),
        ({"model": "irnn", "backend": "cpu"}, "backend must be auto"),
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"updates": 0}, "updates must be at least 1"),
        ({"readout": -1}, "readout must not be negative"),
        ({"discount": 2.0}, "discount must be from 0 to 1"),
        ({"trace_decay": 2.0}, "trace_decay must be from 0 to 1"),
        ({"minutes": 0.0}, "minutes must be more than 0"),
        ({"minutes": 1.0, "schedule": "cosine"}, "a schedule ends at an update"),
        ({"minutes": 1.0, "final_entropy_weight": 0.0}, "a schedule ends at an update"),
        ({"set": ("rate=0.1",)}, "rate has an option of its own"),
        ({"set": ("warp=9",)}, "warp"),
        ({"size": 1}, "at least 2 rows"),
        ({"visible": 9}, "visible frames"),
    ],
)
def test_what_cannot_be_is_refused(given, told):
    with pytest.raises(UserError, match=told):
        model_config(dataclasses.replace(TINY, **given))


def test_a_run_is_tested_anew(run):
    again = predict.test(run, AgentTest())
    assert again["test_reward"] == json.loads((run / "result.json").read_text())["test_reward"]
    other = predict.test(run, AgentTest(samples=80, seed=3))
    opened = open_run(run)
    expected = measure(opened.model, opened.task, 80, 3)
    assert other["test_reward"] == expected["test_reward"] and other["test_episodes"] == 80
    with pytest.raises(UserError, match="samples must be 1 to 100,000"):
        predict.test(run, AgentTest(samples=0))
    assert TEST_SEED >= 2**31


def test_pictures_of_one_run_and_of_several(run, tmp_path):
    names = [path.name for path in draw([run], out=tmp_path, gif=True, sequence="3")]
    assert names == ["training.png", "episode.png", "memory.gif"]
    other = tmp_path / "lstm"
    train(CATCH, dataclasses.replace(TINY, model="lstm"), other)
    assert [path.name for path in draw([run, other], out=tmp_path)] == ["comparison.png"]
    assert_drawn(tmp_path / "memory.gif")
    assert draw([other], out=tmp_path, gif=True)[-1].name == "memory.gif"
    with pytest.raises(UserError, match="chosen by a number"):
        draw([run], out=tmp_path, sequence="left")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match="for a single run"):
        draw([run, other], out=tmp_path, gif=True)
    with pytest.raises(UserError, match="given twice"):
        draw([run, run / ".." / run.name], out=tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_runs_of_earlier_versions_are_told_apart_by_the_fields_that_they_have(run):
    """A field that is missing is one left at None; one with a value sets runs apart."""
    now = open_run(run)

    def without(*names):
        left = {key: value for key, value in now.plan.items() if key not in names}
        return dataclasses.replace(now, config={**now.config, "plan": left})

    assert now.plan["minutes"] is None
    assert list(group([now, without("minutes")])) == ["fast-weights"]
    told = group([now, without("trace_decay")])
    decay = now.plan["trace_decay"]
    assert list(told) == [f"fast-weights, trace decay {each}" for each in (decay, None)]
    assert [len(seeds) for seeds in told.values()] == [1, 1]


def test_runs_on_different_screens_are_not_compared(run, tmp_path):
    train(CATCH, dataclasses.replace(TINY, size=6), tmp_path / "larger")
    with pytest.raises(UserError, match="different screens"):
        draw([run, tmp_path / "larger"], out=tmp_path)


def test_the_studies_compare_at_equal_horizons():
    for study in CATCH.work.studies(CATCH):
        for screen in studies.SCREENS:
            cells = [cell for cell in study.cells if cell.options.size == screen[0]]
            ready = [study.plan(cell) for cell in cells]
            assert len({(one.agents, one.updates, one.entropy_weight) for one in ready}) == 1
            assert {one.learning_rate for one in ready} <= set(studies.GRID[screen])
            assert {one.model for one in ready} == {"fast-weights", "lstm", "irnn"}
            assert {one.rate for one in ready if one.model == "fast-weights"} > {0.0}


def test_a_study_is_recorded(tmp_path):
    cells = (Cell("tiny", TINY, metric="test_reward", seeds=1, also=studies.ALSO),)
    ledger = reproduce(
        Study(CATCH, "tiny", "a tiny study", cells),
        results=tmp_path / "results",
        runs=tmp_path / "runs",
    )
    row = ledger.rows["tiny"]
    assert row["task"] == "Catch (5, 2)" and set(row["also"]) == set(studies.ALSO)


def test_a_run_goes_on_with_the_network_that_it_was_begun_with(tmp_path, monkeypatch) -> None:
    """Whatever has become of a task's defaults since."""
    folder = tmp_path / "run"
    begun = dataclasses.replace(TINY, model="irnn")
    calls = iter(range(3))
    train(CATCH, begun, folder, stop=lambda: next(calls, None) is None)
    before = Run.open(folder).config["model"]
    monkeypatch.setitem(defaults.BACKBONES, "irnn", {"input_std": 0.7})
    train(CATCH, begun, folder, resume=True)
    assert Run.open(folder).config["model"] == before != model_config(begun)
    whole = tmp_path / "whole"
    monkeypatch.undo()
    train(CATCH, begun, whole)
    left, right = (load(each).state_dict() for each in (folder, whole))
    assert all(torch.equal(left[name], right[name]) for name in right)


def test_what_is_to_be_reached_is_so_on_the_screens_of_the_paper():
    aims = {cell.name: cell.reach.limit for cell in studies.comparison(CATCH).cells if cell.reach}
    small = {f"{model} 16-3": 0.95 for model in studies.MODELS if model != "control"}
    assert aims == {"fast-weights 24-5": 0.95} | small
