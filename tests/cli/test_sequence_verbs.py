"""The verbs on runs of the field's tests of sequence models, in process, at a tiny size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastweights.cli import main

TINY = ["--hidden", "6", "--steps", "4", "--batch", "4", "--test-samples", "10"]
TINY += ["--evaluation-interval", "2", "--model", "irnn"]
TASKS = {
    "state-tracking": ["--length", "6", "--test-length", "9"],
    "mqar": ["--pairs", "2", "--length", "8", "--vocabulary", "10"],
    "mad": ["--kind", "memorisation", "--train-samples", "8"],
    "selective-copying": ["--copied", "2", "--length", "8"],
    "in-context-regression": ["--points", "3"],
}


def spoken(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Run a command with --json; stdout must be that one JSON value."""
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", TASKS)
def test_train_test_and_plot(name: str, tmp_path: Path, capsys) -> None:
    out = str(tmp_path / "run")
    result = spoken(capsys, "train", name, *TINY, *TASKS[name], "--out", out)
    tested = spoken(capsys, "test", out, "--samples", "10")
    assert tested["per_step_score"] == result["per_step_score"]
    drawn = spoken(capsys, "plot", out, "--out", str(tmp_path / "pictures"))
    assert {"training.png", "steps.png"} <= {Path(path).name for path in drawn["pictures"]}
    assert main(["test", out, "--samples", "5", "--seed", "2"]) == 0
    shown = capsys.readouterr().out
    assert "always 0" in shown if name == "in-context-regression" else "without memory" in shown


def test_typed_sequences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    assert main(["train", "state-tracking", *TINY, *TASKS["state-tracking"], "--out", out]) == 0
    assert "accuracy beyond 6 steps" in capsys.readouterr().out
    (answer,) = spoken(capsys, "test", out, "1 0 1")
    assert answer["truth"] == ["1", "1", "0"] and len(answer["answers"]) == 3
    assert main(["test", out, "1 0 1"]) == 0
    assert "right" in capsys.readouterr().out
    for words, told in ((["1 2"], "symbol 2 is '2'"), (["--length", "0"], "at least 1")):
        assert main(["test", out, *words]) == 2
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mqar", "--pairs", "9", "--length", "20"], "length must be at least 36"),
        (["mad", "--kind", "recall"], "--kind"),
        (["state-tracking", "--set", "num_layers=2"], "--layers"),
    ],
)
def test_a_refused_command_leaves_nothing(words, told, tmp_path, capsys) -> None:
    out = tmp_path / "run"
    assert main(["train", *words, "--out", str(out)]) == 2
    assert told in capsys.readouterr().err and not out.exists()
