"""The experiments on the field's tests of sequence models: what they plan, train, refuse, show and compare."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from fastweights import models
from fastweights.errors import UserError
from fastweights.experiments import registry
from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.grouping import group
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.plotting import draw
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.runner import train
from fastweights.experiments.sequences import EXPERIMENTS, predict, rows
from fastweights.experiments.sequences import study as studies
from fastweights.experiments.sequences.options import RECIPES, SequenceOptions, SequenceTest
from fastweights.experiments.study import Cell, Study
from pictures import assert_drawn

SMALL = {
    "hidden": 6, "layers": 1, "steps": 6, "batch": 4, "evaluation_interval": 2, "test_samples": 12,
}  # fmt: skip
SIZES = {
    "state-tracking": {"problem": "s3", "length": 5, "test_length": 9, "embedding": 5},
    "mqar": {"pairs": 2, "length": 10, "vocabulary": 12, "embedding": 5},
    "mad": {
        "kind": "compression",
        "length": 6,
        "vocabulary": 5,
        "embedding": 5,
        "train_samples": 8,
    },
    "selective-copying": {"copied": 2, "length": 8, "embedding": 5},
    "in-context-regression": {"points": 4, "dimensions": 2},
}
NAMES = tuple(SIZES)


def tiny(name: str, **changes: object) -> SequenceOptions:
    return registry.get(name).options(**{**SMALL, **SIZES[name], **changes})


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp("runs") / name for name in NAMES}
    for name, folder in folders.items():
        train(registry.get(name), tiny(name), folder)
    return folders


def result_of(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_all_five_are_registered():
    assert tuple(experiment.name for experiment in EXPERIMENTS) == NAMES == tuple(RECIPES)


@pytest.mark.parametrize("name", NAMES)
def test_the_record_of_a_run(runs, name):
    result = result_of(runs[name])
    assert result["steps"] == 6 and result["test_samples"] == 12
    by_step = result["per_step_score"]
    assert len(by_step) == result["test_length"]
    rows = [json.loads(line) for line in (runs[name] / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 2, 4, 6]
    if name == "in-context-regression":
        assert result["ridge_squared_error"] > 0 and result["chance"] == 1.01
        assert result["validation_squared_error"] == rows[-1]["squared_error"]
        assert len(result["per_step_ridge"]) == 7
    else:
        assert result["test_accuracy_percent"] == 100 * result["test_accuracy"]
        error = result["validation_error_percent"]
        assert error == pytest.approx(100 * (1 - rows[-1]["accuracy"]))


def test_of_longer_sequences_the_steps_behind_those_trained_count(runs):
    result = result_of(runs["state-tracking"])
    scores = result["per_step_score"]
    assert result["test_length"] == 9 and result["trained_length"] == 5
    assert result["test_accuracy"] == pytest.approx(sum(scores[5:]) / 4)
    assert result["trained_accuracy_percent"] == pytest.approx(100 * sum(scores[:5]) / 5)
    assert result["chance"] == pytest.approx(1 / 6)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_tested_anew_and_on_other_sequences(runs, name):
    result = result_of(runs[name])
    again = predict.test(runs[name], SequenceTest(samples=12))
    assert again["per_step_score"] == result["per_step_score"]
    assert predict.test(runs[name], SequenceTest(samples=12, seed=5))["seed"] == 5
    longer = {"state-tracking": 14, "mqar": 20, "selective-copying": 11, "in-context-regression": 6}
    if name in longer:
        tested = predict.test(runs[name], SequenceTest(samples=3, length=longer[name]))
        steps = 11 if name == "in-context-regression" else longer[name]
        assert tested["test_length"] == steps == len(tested["per_step_score"])


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("mqar", {"samples": 0}, "samples must be 1 to 100,000"),
        ("mqar", {"length": 6}, "length must be at least 8"),
        ("mqar", {"length": 11}, "length must be even"),
        ("state-tracking", {"length": 0}, "length must be at least 1"),
        ("state-tracking", {"seed": -1}, "seed must not be negative"),
        ("in-context-regression", {"length": 0}, "points must be at least 1"),
    ],
)
def test_tests_that_cannot_be(runs, name, options, told):
    with pytest.raises(UserError, match=told):
        predict.test(runs[name], SequenceTest(**options))


def test_a_test_at_the_length_of_training_counts_all_steps(runs):
    tested = predict.test(runs["state-tracking"], SequenceTest(samples=10, length=5))
    assert "trained_accuracy_percent" not in tested
    scores = tested["per_step_score"]
    assert tested["test_accuracy"] == pytest.approx(sum(scores) / 5)


def test_typed_sequences_are_answered_at_every_step(runs):
    answer = predict.ask(runs["state-tracking"])
    found = answer(" 120 021 ")
    assert found["symbols"] == ["120", "021"] and found["truth"] == ["120", "210"]
    assert len(found["answers"]) == len(found["probabilities"]) == 2
    (shown,) = predict.report_answer(found)
    assert shown.rows["right"] == ["120", "210"]
    with pytest.raises(UserError, match="symbol 1 is '9'"):
        answer("9")
    assert registry.get("mqar").work.ask is None


@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_one_run(runs, name, tmp_path):
    drawn = [path.name for path in draw([runs[name]], out=tmp_path)]
    inside = ["hidden.png", "memory.png"] if name == "state-tracking" else []
    assert drawn == ["training.png", "steps.png", *inside]
    for path in tmp_path.iterdir():
        assert_drawn(path)
    if name != "state-tracking":
        with pytest.raises(UserError, match="can be typed"):
            draw([runs[name]], out=tmp_path, sequence="1 0")


@pytest.mark.parametrize("name", ["state-tracking", "in-context-regression"])
def test_runs_of_one_task_are_compared(runs, name, tmp_path):
    other = tmp_path / "lstm"
    train(registry.get(name), tiny(name, model="lstm"), other)
    out = tmp_path / "pictures"
    assert [path.name for path in draw([runs[name], other], out=out)] == [
        "comparison.png",
        "steps.png",
    ]
    changed = {"state-tracking": {"length": 6}, "in-context-regression": {"noise": 0.2}}[name]
    train(registry.get(name), tiny(name, **changed), tmp_path / "changed")
    with pytest.raises(UserError, match="different tasks"):
        draw([runs[name], tmp_path / "changed"], out=out)


def test_a_run_cut_short_and_resumed_equals_one_that_was_not(runs, tmp_path):
    asked = iter([False, False, True])
    experiment = registry.get("mad")
    cut = train(experiment, tiny("mad"), tmp_path / "cut", stop=lambda: next(asked))
    assert cut.interrupted
    result = train(experiment, tiny("mad"), tmp_path / "cut", resume=True).result
    whole = result_of(runs["mad"])
    assert result["per_step_score"] == whole["per_step_score"]
    assert result["cross_entropy"] == whole["cross_entropy"]


def test_options_of_a_backbone_tell_runs_apart(runs, tmp_path):
    for name, given in {"plain": (), "set": ("negative_eigenvalues=true",)}.items():
        options = tiny("mqar", model="deltanet", set=given, steps=2)
        train(registry.get("mqar"), options, tmp_path / name)
    found = group([open_run(tmp_path / name) for name in ("plain", "set")])
    assert list(found) == ["deltanet, its defaults", "deltanet, negative_eigenvalues=true"]


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("state-tracking", {"problem": "s9"}, "unknown problem 's9'"),
        ("state-tracking", {"length": 0}, "length must be at least 1"),
        ("state-tracking", {"test_length": 0}, "test_length must be at least 1"),
        ("mqar", {"pairs": 5}, "length must be at least 20"),
        ("mad", {"kind": "recall"}, "unknown kind 'recall'"),
        ("mad", {"train_samples": 3}, "3 training sequences do not fill a batch of 4"),
        ("selective-copying", {"vocabulary": 2}, "vocabulary must be at least 3"),
        ("in-context-regression", {"noise": -1.0}, "noise must be finite and not negative"),
        ("mqar", {"layers": 0}, "layers must be at least 1"),
        ("mqar", {"convolution": -1}, "convolution must not be negative"),
        ("mqar", {"hidden": 0}, "hidden must be at least 1"),
        ("mqar", {"test_samples": 0}, "test_samples must be 1 to"),
        ("mqar", {"set": ("num_layers=2",)}, "num_layers has an option of its own: --layers"),
        ("mqar", {"set": ("warp=2",)}, "warp"),
        ("mqar", {"model": "convnet", "layers": 2}, "no layers to stack"),
        ("mqar", {"model": "irnn", "backend": "cpu"}, "backend must be auto"),
    ],
)
def test_what_cannot_be_is_refused(name, given, told):
    with pytest.raises(UserError, match=told):
        registry.get(name).plan(tiny(name, **given)).model_config()


def test_layers_and_a_convolution_are_put_around_any_backbone():
    experiment = registry.get("mqar")
    for model, layers in (("deltanet", 3), ("transformer-xl", 2), ("fwm", 1)):
        config = experiment.plan(tiny("mqar", model=model, layers=layers)).model_config()
        convolution, backbone = models.from_config(config).backbone.layers
        assert convolution.convolution.size == 4
        found = backbone.built_with[1].get("layers") or getattr(backbone, "num_layers", 1)
        assert found == layers
    plain = experiment.plan(tiny("mqar", convolution=0, model="lstm")).model_config()
    assert not hasattr(models.from_config(plain).backbone, "layers")


def test_every_backbone_is_a_row_or_left_out_for_a_reason():
    named = {backbone.model for backbone in rows.BACKBONES.values()}
    assert named | {*rows.LEFT_OUT} == {*models.names()}
    assert not named & {*rows.LEFT_OUT}


def studied(name: str) -> tuple[AnyExperiment, Study, Study]:
    experiment = registry.get(name)
    table, tuning = experiment.work.studies(experiment)
    assert isinstance(table, Study) and isinstance(tuning, Study)
    return experiment, table, tuning


@pytest.mark.parametrize("name", ["state-tracking", "mqar", "mad"])
def test_the_studies_are_equal_for_all(name):
    _, table, tuning = studied(name)
    left_out = {*studies.TABLES[name].slow}
    assert {cell.label for cell in table.cells} == {*rows.BACKBONES} - left_out
    assert left_out <= {*rows.BACKBONES} and all(label in table.notes[-1] for label in left_out)
    assert len(table.cells) == len(studies.TABLES[name].modes) * (
        len(rows.BACKBONES) - len(left_out)
    )
    assert len(tuning.cells) == len(table.cells) * len(studies.GRID)
    assert len({cell.name for cell in table.cells}) == len(table.cells)
    for cell in table.cells:
        assert cell.seeds >= 3
    same = ("hidden", "layers", "convolution", "embedding", "steps", "batch", "learning_rate")
    for mode in studies.TABLES[name].modes:
        plans = [table.plan(cell) for cell in table.cells if cell.mode == mode]
        for field in (*same, "warmup", "clip", "optimiser", "schedule", "train_samples"):
            assert len({getattr(plan, field) for plan in plans}) == 1
    rates = {table.plan(cell).learning_rate for cell in tuning.cells}
    assert rates == {*studies.GRID} and sorted(studies.GRID)[1] == studies.CHOSEN


def test_published_rows_stand_beside_ours(tmp_path):
    _, table, _ = studied("state-tracking")
    labels = {"lstm": "lstm", "deltanet [-1, 1]": "deltanet"}
    cells = tuple(
        Cell(
            f"{label}, {mode}",
            dataclasses.replace(tiny("state-tracking"), model=model, problem=mode),
            metric="test_accuracy_percent",
            seeds=1,
            mode=mode,
            label=label,
            also=("trained_accuracy_percent",),
            keeps=("chance",),
        )
        for label, model in labels.items()
        for mode in studies.TRACKED
    )
    small = dataclasses.replace(table, cells=cells)
    ledger = reproduce(small, results=tmp_path / "results", runs=tmp_path / "runs")
    rows = ledger.current()
    lines = small.lines(rows)
    assert lines[0].split(" | ")[-2:] == ["mean", "published mean |"]
    lstm = next(line for line in lines if line.startswith("| lstm "))
    mean = sum(row["value"] for row in rows if row["label"] == "lstm") / len(studies.TRACKED)
    assert lstm.split(" | ")[-2:] == [f"{mean:.1f}", "100.0 |"]
    mamba = next(line for line in lines if line.startswith("| Mamba "))
    assert mamba.split(" | ")[1:] == [""] * 6 + ["58.9 |"]
    small.draw(rows, tmp_path / "table.png")
    assert_drawn(tmp_path / "accuracies.png")
    chance = studies._chance(rows)
    assert chance["s5"] == pytest.approx(100 / 120) and chance["parity"] == pytest.approx(50)


def test_a_mean_waits_for_all_tests():
    rows = [{"label": "lstm", "mode": "parity", "value": 90.0}]
    (_, _, line, *_) = studies.means(studies.TABLES["state-tracking"], rows)
    assert line == "| lstm | 90.0 |  |  |  |  |  | 100.0 |"


def test_parity_is_learned_and_followed_further(tmp_path):
    """By an LSTM in a few seconds: what the studies measure can be reached."""
    options = registry.get("state-tracking").options(
        model="lstm", hidden=24, layers=1, embedding=8, length=12, test_length=30, steps=500,
        batch=32, learning_rate=1e-2, test_samples=50,
    )  # fmt: skip
    torch.manual_seed(0)
    result = train(registry.get("state-tracking"), options, tmp_path / "run").result
    assert result["test_accuracy"] > 0.99 and result["chance"] == 0.5
