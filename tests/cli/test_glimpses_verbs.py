"""The glimpses' verbs on digits made here: train, resume, ask, test, plot, at a tiny size; and every slip one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from babi_runs import spoken

from fastweights import models, runs
from fastweights.cli import main
from fastweights.experiments.glimpses import GLIMPSES
from fastweights.experiments.glimpses.figures import compare, draw
from fastweights.experiments.glimpses.options import GlimpsesOptions
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.runner import train
from fastweights.runs import Run
from fastweights.runs.records import sealed
from fastweights.tasks import Glimpses

pytestmark = pytest.mark.usefixtures("unsynced")

TINY = ("--features", "6", "--glimpse-layer", "8", "--steps", "3", "--batch", "4")
MODELS = {
    "fast-weights": ("--decay", "0.9", "--inner-steps", "2"),
    "irnn": ("--set", "input_std=0.1"),
    "lstm": (),
    "convnet": ("--glimpse-layer", "0", "--set", "channels=[2,3]"),
    "fwm": ("--set", "memory_size=3"),
}
FIGURES = {
    *("model", "reading", "features", "test_images", "test_error_percent", "test_accuracy"),
    *("test_cross_entropy", "test_per_digit_accuracy", "test_confusion"),
    *("validation_error_percent", "steps", "limit_seconds", "train_seconds", "compile_seconds"),
    *("parameters", "backend", "processes", "threads", "seed", "out"),
}


def trained(folder: Path, data: Path, *words: object) -> Path:
    given = [str(word) for word in ("--data-dir", data, *TINY, *words, "--out", folder)]
    assert main(["train", "glimpses", *given]) == 0
    return folder


@pytest.fixture(scope="module")
def run(mnist_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("runs") / "tiny", mnist_files)


@pytest.mark.parametrize("reading", ["plain", "hierarchical"])
@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains_in_both_readings(model, reading, mnist_files, tmp_path, capsys):
    words = ("--data-dir", mnist_files, *TINY, "--model", model, "--reading", reading)
    result = spoken(capsys, "train", "glimpses", *words, *MODELS[model], "--out", tmp_path / "run")
    assert set(result) == FIGURES
    assert result == Run.open(tmp_path / "run").result()
    assert (result["model"], result["reading"], result["features"]) == (model, reading, 6)
    table = result["test_confusion"]
    assert [sum(row) for row in table] == [4] * 10 and result["test_images"] == 40
    right = sum(table[digit][digit] for digit in range(10))
    assert result["test_error_percent"] == pytest.approx(100 * (1 - right / 40))
    assert 0 <= result["validation_error_percent"] <= 100


def test_a_convnet_sees_the_same_in_both_readings(mnist_files):
    answers = []
    for reading in ("plain", "hierarchical"):
        options = GlimpsesOptions(
            model="convnet", reading=reading, data_dir=mnist_files, input_dropout=0.0
        )
        torch.manual_seed(0)
        model = models.from_config(GLIMPSES.plan(options).model_config()).eval()
        task = Glimpses(mnist_files, reading=reading)
        logits, _ = model(task.inputs(task.split("test")), last_only=True)
        answers.append(logits)
    torch.testing.assert_close(*answers)


def test_digits_are_learned(mnist_files, tmp_path):
    chosen = GlimpsesOptions(
        model="convnet",
        data_dir=mnist_files,
        set=("channels=[8,16]",),
        learning_rate=1e-2,
        batch=20,
        steps=110,
        evaluation_interval=110,
    )
    assert train(GLIMPSES, chosen, tmp_path / "run").result["test_error_percent"] <= 30


@pytest.mark.parametrize("options", [{}, {"rate": 0.0}, {"model": "lstm", "seed": 1}])
def test_interrupted_and_resumed_equals_uninterrupted(options, mnist_files, tmp_path, capsys):
    chosen = GlimpsesOptions(
        data_dir=mnist_files,
        features=6,
        glimpse_layer=8,
        steps=70,
        batch=4,
        input_dropout=0.3,
        **options,
    )
    whole = train(GLIMPSES, chosen, tmp_path / "whole")
    polls = iter(range(1000))
    assert train(GLIMPSES, chosen, tmp_path / "cut", stop=lambda: next(polls) >= 59).interrupted
    result = spoken(capsys, "train", "glimpses", "--resume", "--out", tmp_path / "cut")
    times = {"out", "train_seconds", "compile_seconds"}
    assert {k: v for k, v in result.items() if k not in times} == {
        k: v for k, v in whole.result.items() if k not in times
    }
    ours, theirs = (
        Run.open(tmp_path / name).load_checkpoint().tensors for name in ("whole", "cut")
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_report_for_people(mnist_files, tmp_path, capsys):
    out = trained(tmp_path / "run", mnist_files, "--plot")
    said, err = capsys.readouterr()
    for word in ("test error", "validation error", "error by digit", "a few test images", "run: "):
        assert word in said
    assert "220 images" in err
    assert {path.name for path in (out / "figures").iterdir()} == {
        *("training.png", "glimpses.png", "confusion.png")
    }


def test_ask_by_number(run, mnist_files, capsys):
    seven, other = spoken(capsys, "test", run, "7", "39")
    assert (seven["image"], seven["truth"], other["image"], other["truth"]) == (7, 7, 39, 9)
    task = Glimpses(mnist_files)
    with torch.no_grad():
        logits, _ = runs.load(run)(task.inputs(task.encode("7")))
    chances, digits = logits[0].softmax(-1).max(-1)
    assert [belief["answer"] for belief in seven["beliefs"]] == digits.tolist()
    assert [belief["probability"] for belief in seven["beliefs"]] == pytest.approx(
        chances.tolist(), rel=1e-4
    )
    assert seven["answer"] == digits[-1] and len(seven["attention"]) == 24
    assert sum(seven["attention"]) == pytest.approx(1) and seven["attention"][-1] == 0
    assert main(["test", str(run), "7"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("image 7 → ") and "attention %" in said and said.count("\n") == 5


def test_a_test_on_a_split(run, capsys):
    recorded = json.loads((run / "result.json").read_text())
    tested = spoken(capsys, "test", run)
    assert tested["split"] == "test" and tested["images"] == 40
    assert tested["error_percent"] == recorded["test_error_percent"]
    assert tested["confusion"] == recorded["test_confusion"]
    valid = spoken(capsys, "test", run, "--split", "valid")
    assert valid["error_percent"] == pytest.approx(recorded["validation_error_percent"])
    assert main(["test", str(run)]) == 0
    assert "test split" in capsys.readouterr().out


def test_pictures_of_several_runs(run, mnist_files, tmp_path, capsys):
    lstm = trained(tmp_path / "lstm", mnist_files, "--model", "lstm")
    seed = trained(tmp_path / "seed", mnist_files, "--seed", "1")
    out = ("--out", tmp_path / "figures", "--format", "svg")
    drawn = [Path(path) for path in spoken(capsys, "plot", run, lstm, seed, *out)["pictures"]]
    assert [path.name for path in drawn] == ["comparison.svg"]
    (figure,) = compare([open_run(folder) for folder in (run, lstm, seed)])
    curves, tests = figure.make().axes
    assert len(curves.lines) == 2 and [len(line.get_ydata()) for line in tests.lines] == [2, 1]


def test_a_model_that_does_not_attend_has_no_panel_of_it(run, mnist_files, tmp_path):
    lstm = trained(tmp_path / "lstm", mnist_files, "--model", "lstm")
    panels = []
    for folder in (run, lstm):
        figures = {figure.name: figure.make for figure in draw(open_run(folder), "3")}
        labels = [axes.get_ylabel() for axes in figures["glimpses"]().axes]
        panels.append("share of the\nlast read (%)" in labels)
    assert panels == [True, False]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--features", "0"], "features must be at least 1"),
        (["--glimpse-layer", "-1"], "glimpse_layer must not be negative"),
        (["--input-dropout", "1"], "0 to below 1, not 1"),
        (["--batch", "300"], "do not fill a batch of 300"),
        (["--reading", "plane"], "reading"),
        (["--model", "lstmm"], "did you mean 'lstm'"),
        (["--model", "lstm", "--rate", "0"], "has no rate; accepted by fast-weights"),
        (["--model", "irnn", "--backend", "cpu"], "backend must be auto"),
        (["--model", "convnet", "--glimpse-layer", "9"], "its glimpse_layer must be 0"),
        (["--set", "rate=0"], "--rate 0"),
        (["--set", "nonsense=1"], "option of model 'fast-weights'"),
        (["--set", "norm_gain"], "NAME=VALUE"),
        (["--device", "tpu9"], "device"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_slips_leave_nothing_behind(words, said, mnist_files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "glimpses", "--data-dir", str(mnist_files), *TINY, *words]) == 2
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) == 1 and said in lines[0]
    assert not list(tmp_path.iterdir())


def test_a_convnet_is_for_glimpses_alone(tmp_path, capsys):
    words = ["--model", "convnet", "--steps", "2", "--out", str(tmp_path / "run")]
    assert main(["train", "retrieval", *words]) == 2
    assert "it is for the task glimpses alone" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_data_and_images_that_are_not_there(run, tmp_path, monkeypatch, capsys):
    other = shutil.copytree(run, tmp_path / "other")
    monkeypatch.setenv("FASTWEIGHTS_DATA", str(tmp_path))
    for words, said in (
        (("train", "glimpses", *TINY, "--out", tmp_path / "no"), "data get mnist"),
        (("test", run, "--data-dir", tmp_path), "data get mnist"),
        (("test", run, "40"), "numbered 0 to 39, not '40'"),
        (("plot", run, "--sequence", "x"), "numbered 0 to 39, not 'x'"),
        (("plot", run, other, "--sequence", "7"), "is for a single run of glimpses"),
        (("plot", run, run), "is given twice"),
        (("plot", run, "--gif"), "glimpses"),
        (("test", run, "--split", "trial"), "unknown split"),
        (("test", run, "--pairs", "4"), "--pairs is no option"),
        (("test", run, "7", "--split", "test"), "not both"),
    ):
        assert main([str(word) for word in words]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and said in err
    assert not (tmp_path / "no").exists()


def test_records_that_were_changed(run, mnist_files, tmp_path, capsys):
    copy = shutil.copytree(run, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    config["task"]["options"]["reading"] = "hierarchical"
    (copy / "config.json").write_text(json.dumps(sealed(config)))
    assert main(["test", str(copy), "7"]) == 2
    assert "49 numbers a step, its model reads 73" in capsys.readouterr().err
    other = shutil.copytree(run, tmp_path / "other")
    (other / "result.json").write_text(json.dumps(sealed({})))
    assert main(["plot", str(run), str(other), "--out", str(tmp_path / "pictures")]) == 2
    assert "has no test_error_percent" in capsys.readouterr().err
