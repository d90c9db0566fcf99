"""Every verb, in process, at a tiny size: what it prints, what it writes, what `--json` says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from fastweights.cli import main
from fastweights.runs import Run
from pictures import assert_drawn

TINY = ["--steps", "4", "--hidden", "8", "--batch", "4", "--test-samples", "60"]


def spoken(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Run a command with --json; stdout must be that one JSON value."""
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", "retrieval", *TINY, "--out", str(folder), "--json"]) == 0
    return folder


def test_train_records_its_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a"
    result = spoken(capsys, "train", "retrieval", *TINY, "--pairs", "3", "--out", str(out))
    assert set(result) >= {
        "test_accuracy",
        "test_error_percent",
        "per_slot_accuracy",
        "no_binding_ceiling",
        "best_possible",
        "cross_entropy",
        "steps",
        "train_seconds",
        "compile_seconds",
        "parameters",
        "backend",
        "seed",
        "out",
    }
    assert result == Run.open(out).result()
    assert result["steps"] == 4 and len(result["per_slot_accuracy"]) == 3
    assert result["test_error_percent"] == pytest.approx(100 * (1 - result["test_accuracy"]))
    # 37 C rows, bias, W, LN gain and bias, head
    assert result["parameters"] == 37 * 8 + 8 + 64 + 16 + 8 * 10 + 10


def test_train_is_repeatable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = [
        spoken(capsys, "train", "retrieval", *TINY, "--out", str(tmp_path / name)) for name in "ab"
    ]
    for result in results:
        del result["train_seconds"], result["compile_seconds"], result["out"]
    assert results[0] == results[1]


def test_report_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "retrieval", *TINY, "--out", str(tmp_path / "a")]) == 0
    out, err = capsys.readouterr()
    assert "test accuracy" in out and "no-binding ceiling" in out and "run: " in out
    assert "backend" in err


@pytest.mark.parametrize(
    "name", ["RNN-LN-FW", "rnn-ln", "CONTROL", "Gru-Ln", "fast-weights-flat", "a-lstm", "irnn"]
)
def test_every_model_trains(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "a")
    result = spoken(capsys, "train", "retrieval", *TINY, "--model", name, "--out", out)
    right = 60 * result["test_accuracy"]
    assert right == pytest.approx(round(right))
    (told,) = spoken(capsys, "test", out, "a1b2??b")  # the run is loaded as the model it was
    assert told["answer"] in "0123456789" and 0.1 <= told["probability"] <= 1


def test_ask_by_words_and_by_pipe(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = ["c9k8j3f1??c", "a1b2??b"]
    answers = spoken(capsys, "test", str(run), *questions)
    assert [answer["sequence"] for answer in answers] == questions
    for answer, question in zip(answers, questions, strict=True):
        assert answer["answer"] in "0123456789" and 0.1 <= answer["probability"] <= 1
        assert len(answer["attention"]) == len(question)
        assert sum(answer["attention"]) == pytest.approx(1, abs=1e-5)
        assert answer["attention"][-1] == 0  # the last step cannot attend to itself
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(questions) + "\n"))
    assert spoken(capsys, "test", str(run)) == answers


def test_other_lengths(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tested = spoken(capsys, "test", str(run), "--pairs", "26", "--samples", "100")
    assert tested["pairs"] == 26 and tested["trained_pairs"] == 4 and tested["test_samples"] == 100


def test_interrupted_and_resumed_equals_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.numpy import load_file

    from fastweights.experiments import runner as module
    from fastweights.experiments.retrieval import RETRIEVAL
    from fastweights.experiments.retrieval.options import RetrievalOptions

    options = RetrievalOptions(steps=6, hidden=8, batch=4, test_samples=50)
    whole = module.train(RETRIEVAL, options, tmp_path / "whole")
    asked = iter([False, False, True])
    assert module.train(RETRIEVAL, options, tmp_path / "cut", stop=lambda: next(asked)).interrupted
    result = spoken(capsys, "train", "retrieval", "--resume", "--out", str(tmp_path / "cut"))
    assert result["test_accuracy"] == whole.result["test_accuracy"]
    weights = [
        load_file(sorted((tmp_path / name).rglob("model.safetensors"))[-1])
        for name in ("whole", "cut")
    ]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    inventory = spoken(capsys, "list")
    assert "fast-weights" in inventory["models"] and "retrieval" in inventory["tasks"]
    assert "ba2016-table1" in inventory["studies"] and "reference" in str(inventory["backends"])


def test_gradcheck(capsys: pytest.CaptureFixture[str]) -> None:
    checked = spoken(capsys, "gradcheck")
    assert checked["passed"] and 0 < checked["worst"] <= 1e-8


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    overview = capsys.readouterr().out
    for verb in ("train retrieval", "test", "plot", "reproduce", "bench", "list", "gradcheck"):
        assert verb in overview
        with pytest.raises(SystemExit) as stop:
            main([*verb.split(), "--help"])
        assert stop.value.code == 0 and "--json" in capsys.readouterr().out


def test_plot_one_run_and_several(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = spoken(capsys, "plot", str(run), "--gif")
    assert len(drawn["pictures"]) >= 6
    for path in drawn["pictures"]:
        assert_drawn(Path(path))
    other = tmp_path / "other"
    assert main(["train", "retrieval", *TINY, "--model", "lstm", "--out", str(other)]) == 0
    drawn = spoken(capsys, "plot", str(run), str(other), "--out", str(tmp_path / "figures"))
    assert any("comparison" in path for path in drawn["pictures"])


def test_a_study_without_time_says_that_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs")]
    assert main(["reproduce", "retrieval", "--budget", "1e-9", *folders]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "no row of retrieval is finished yet" in err
    assert (tmp_path / "results" / "README.md").exists()
