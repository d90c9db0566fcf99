"""The experiment on the metro maps: what it plans, trains, refuses; its tests, its pictures, its study."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from fastweights import models
from fastweights.errors import UserError
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.metro_map import METRO_MAP, predict, study
from fastweights.experiments.metro_map import figures as drawing
from fastweights.experiments.metro_map.options import MetroMapOptions, MetroMapTest
from fastweights.experiments.plotting import draw
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.runner import train
from fastweights.experiments.study import Cell, Study
from fastweights.runs import Run
from fastweights.runs.records import sealed

TINY = MetroMapOptions(
    hidden=6,
    memory_size=4,
    graphs=12,
    horizon=8,
    updates=4,
    evaluation_interval=2,
    backend="chunked",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(METRO_MAP, TINY, folder)
    return folder


def test_the_settings_are_the_papers():
    ready = METRO_MAP.plan(MetroMapOptions())
    assert (ready.hidden, ready.memory_size, ready.reads) == (32, 16, 3)
    assert (ready.agents, ready.test_episodes, ready.horizon) == (600, 600, 30)
    assert (ready.discount, ready.value_weight, ready.learning_rate) == (0.9, 0.1, 1e-3)
    assert ready.entropy_weight == ready.final_entropy_weight == 0.03
    assert (ready.beta2, ready.eps, ready.clip, ready.trace_decay) == (0.999, 1e-4, 0, 1)
    assert ready.schedule == "constant"
    assert METRO_MAP.plan(MetroMapOptions(entropy_weight=0.1)).final_entropy_weight == 0.1
    unsaid = [name for name, value in dataclasses.asdict(ready).items() if value is None]
    assert unsaid == ["minutes"]
    config = ready.model_config()
    assert config["options"]["variant"] == "meta_rl"
    model = models.from_config(config)
    # LSTM, W_write, W_read, W_o, policy and value: as many as the authors' program prints.
    assert sum(weight.numel() for weight in model.parameters()) == 6528 + 1617 + 2112 + 544 + 132


def test_the_record_of_a_run(run):
    result = json.loads((run / "result.json").read_text())
    assert result["steps"] == 4 and result["frames"] == 4 * 12 * 8 and result["test_episodes"] == 12
    assert result["chance"] < result["best_possible"] and result["updates_per_second"] > 0
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 2, 4]
    assert rows[-1]["train_reward"] == result["train_reward"]
    options = {"form": "faithful", "states": 5, "moves": 3, "graphs": 12, "steps": 8}
    task = json.loads((run / "config.json").read_text())["task"]
    assert task == {"name": "metro-map", "options": options}


@pytest.mark.parametrize("name", ["lstm", "fast-weights", "deltanet"])
def test_any_model_acts(name, tmp_path):
    recipe = dataclasses.replace(
        TINY, model=name, memory_size=None, updates=1, backend="auto", rules="fixed"
    )
    assert train(METRO_MAP, recipe, tmp_path / "run").result["form"] == "fixed"


def test_a_run_cut_short_and_resumed_equals_one_that_was_not(run, tmp_path):
    asked = iter([False, False, True])
    assert train(METRO_MAP, TINY, tmp_path / "cut", stop=lambda: next(asked)).interrupted
    result = train(METRO_MAP, TINY, tmp_path / "cut", resume=True).result
    whole = json.loads((run / "result.json").read_text())
    for name in ("test_reward", "train_reward"):
        assert result[name] == whole[name]


@pytest.mark.parametrize(
    "given, told",
    [
        ({"model": "lstm"}, "'lstm' has no memory_size"),
        ({"graphs": 0}, "graphs must be at least 1"),
        ({"states": 2}, "states must be at least 3"),
        ({"horizon": 0}, "steps must be at least 1"),
        ({"set": ("reads=2",)}, "reads has an option of its own"),
        ({"minutes": 1.0, "schedule": "cosine"}, "a schedule ends at an update"),
    ],
)
def test_what_cannot_be_is_refused(given, told):
    with pytest.raises(UserError, match=told):
        METRO_MAP.plan(dataclasses.replace(TINY, **given)).model_config()


def test_a_run_is_tested_on_both_splits_or_one(run):
    both = predict.test(run, MetroMapTest())
    result = json.loads((run / "result.json").read_text())
    assert both["test_reward"] == result["test_reward"] and both["train_episodes"] == 12
    task = open_run(run).task
    assert both["train_best_possible"] == task.best_possible("train") > both["train_chance"]
    one = predict.test(run, MetroMapTest(split="test", samples=30, seed=3))
    assert one["test_episodes"] == 30 and "train_reward" not in one
    assert one["test_reward"] != both["test_reward"]
    with pytest.raises(UserError, match="valid"):
        predict.test(run, MetroMapTest(split="valid"))
    with pytest.raises(UserError, match="samples must be 1 to 100,000"):
        predict.test(run, MetroMapTest(samples=0))


def test_pictures_of_one_run_and_of_several(run, tmp_path):
    with pytest.raises(UserError, match="metro-map"):
        draw([run], out=tmp_path / "film", gif=True)
    assert not (tmp_path / "film").exists()
    names = [path.name for path in draw([run], out=tmp_path, sequence="11")]
    assert names == ["training.png", "within-episode.png", "episode.png"]
    other, fixed = tmp_path / "other", tmp_path / "fixed"
    train(METRO_MAP, dataclasses.replace(TINY, seed=1), other)
    compared = [path.name for path in draw([run, other], out=tmp_path)]
    assert compared == ["training.png", "within-episode.png"]
    for sequence in ("left", "12", "-1"):
        with pytest.raises(UserError, match="map"):
            draw([run], out=tmp_path, sequence=sequence)
    train(METRO_MAP, dataclasses.replace(TINY, updates=2, rules="fixed"), fixed)
    with pytest.raises(UserError, match="different maps or forms"):
        draw([run, fixed], out=tmp_path)


def test_the_episode_that_is_drawn_is_one_of_the_test(run):
    opened = open_run(run)
    episode = drawing.played(opened, range(5, 6))
    walk = drawing.walk(episode)
    assert (walk.graph == opened.task.maps("test")[5].numpy()).all()
    for step in range(8):
        onward = walk.graph[walk.state[step], walk.move[step]]
        arrived = onward == walk.goal[step]
        assert walk.reward[step] == pytest.approx(10 if arrived else -0.05 * (onward == -1))
        if step < 7 and not arrived and not walk.late[step]:
            assert walk.state[step + 1] == (walk.state[step] if onward == -1 else onward)
    every = drawing.played(opened, range(12)).rewards.double().sum(1).mean()
    assert float(every) == json.loads((run / "result.json").read_text())["test_reward"]


def test_a_run_goes_on_to_more_updates_and_has_the_evaluations_on_its_way(tmp_path, monkeypatch):
    monkeypatch.setattr("fastweights.experiments.metro_map.predict.MILESTONES", (2, 4))
    cells = tuple(
        Cell(
            f"after {updates}",
            dataclasses.replace(TINY, updates=updates),
            metric=f"test_reward_{updates}",
            seeds=1,
            stage_of="one run",
        )
        for updates in (2, 4)
    )
    tiny = Study(METRO_MAP, "tiny", "a tiny study", cells)
    values = []
    for order in (("after 2", "after 4"), ("after 4", "after 2")):
        at = tmp_path / order[0]
        for only in order:
            ledger = reproduce(tiny, results=at / "results", runs=at / "runs", only=only)
        (folder,) = (at / "runs" / "tiny").iterdir()
        rows = {row["step"]: row["reward"] for row in Run.open(folder / "seed-0").metrics()}
        assert sorted(rows) == [0, 2, 4]
        values.append({name: row["value"] for name, row in ledger.rows.items()})
        assert values[-1] == {f"after {update}": rows[update] for update in (2, 4)}
    assert values[0] == values[1]


def test_a_run_that_was_to_go_on_goes_on_unasked(tmp_path):
    folder = tmp_path / "run"
    train(METRO_MAP, TINY, folder)
    asked = iter([False, True])
    longer = dataclasses.replace(TINY, updates=8)
    assert train(METRO_MAP, longer, folder, resume=True, stop=lambda: next(asked)).interrupted
    result = train(METRO_MAP, MetroMapOptions(), folder, resume=True).result
    assert result["steps"] == 8
    whole = train(METRO_MAP, longer, tmp_path / "whole").result
    assert result["test_reward"] == whole["test_reward"]


def test_a_run_goes_on_to_a_limit_of_another_kind(tmp_path):
    def went_on(**given):
        return train(
            METRO_MAP, dataclasses.replace(MetroMapOptions(), **given), tmp_path, resume=True
        ).result

    seconds = train(METRO_MAP, TINY, tmp_path).result["train_seconds"] + 0.3
    timed = went_on(minutes=seconds / 60)
    assert timed["steps"] > 4 and timed["limit_seconds"] == pytest.approx(seconds)
    counted = went_on(updates=timed["steps"] + 1)
    assert counted["steps"] == timed["steps"] + 1 and counted["limit_seconds"] is None


def test_a_schedule_is_not_stretched(tmp_path):
    falling = dataclasses.replace(TINY, final_entropy_weight=0.0)
    train(METRO_MAP, falling, tmp_path)
    with pytest.raises(UserError, match="begun with updates 4, with which a schedule ends"):
        train(METRO_MAP, dataclasses.replace(falling, updates=8), tmp_path, resume=True)


def test_a_result_without_steps_is_refused(tmp_path):
    train(METRO_MAP, TINY, tmp_path)
    (tmp_path / "result.json").write_text(json.dumps(sealed({})))
    with pytest.raises(UserError, match=r"result\.json says no steps"):
        train(METRO_MAP, TINY, tmp_path, resume=True)


def test_updates_decide_what_is_trained_only_under_a_schedule():
    def decided(**given):
        return METRO_MAP.plan(dataclasses.replace(TINY, **given)).deciding()

    assert decided(updates=4) == decided(updates=5)
    for given in ({"schedule": "cosine"}, {"final_entropy_weight": 0.0}):
        assert decided(updates=4, **given) != decided(updates=5, **given)


def test_the_study_compares_at_equal_updates():
    compared = study.comparison(METRO_MAP)
    cells = compared.cells
    assert len({compared.folder_name(cell) for cell in cells}) == 7
    assert [cell.name for cell in cells if cell.reach] == [
        "fwm-32 faithful 12700",
        "fwm-32 faithful 51000",
    ]
    assert cells[0].reach is not None and cells[0].paper == 85.2
    for form in ("faithful", "fixed"):
        for updates in (study.UPDATES, study.LONG):
            ready = [compared.plan(cell) for cell in cells]
            ready = [one for one in ready if one.rules == form and one.updates == updates]
            assert {one.model for one in ready} >= {"fwm"}
            assert (
                len({(one.agents, one.learning_rate, one.evaluation_interval) for one in ready})
                == 1
            )


def test_a_study_is_recorded(tmp_path):
    cells = (Cell("tiny", TINY, metric="test_reward", seeds=1, also=study.ALSO),)
    ledger = reproduce(
        Study(METRO_MAP, "tiny", "a tiny study", cells),
        results=tmp_path / "results",
        runs=tmp_path / "runs",
    )
    row = ledger.rows["tiny"]
    assert row["task"] == "metro maps (faithful)" and set(row["also"]) == set(study.ALSO)
    assert row["value"] == ledger.rows["tiny"]["by_seed"]["0"]["value"]


def test_a_folder_is_named_after_what_the_model_has():
    memory = METRO_MAP.plan(TINY)
    plain = METRO_MAP.plan(dataclasses.replace(TINY, model="lstm", memory_size=None))
    assert memory.folder_name().endswith("-fwm-h6-m4-s0") and memory.memory_size == 4
    assert plain.folder_name().endswith("-lstm-h6-s0")
