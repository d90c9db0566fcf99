"""The verbs on a run of agents, in process, at a tiny size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastweights.cli import main

TINY = ["--size", "5", "--visible", "2", "--hidden", "6", "--agents", "8", "--updates", "4"]
TINY += ["--evaluation-episodes", "10", "--test-episodes", "40", "--evaluation-interval", "2"]


def spoken(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Run a command with --json; stdout must be that one JSON value."""
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", "catch", *TINY, "--model", "irnn", "--out", str(folder), "--json"]) == 0
    return folder


def test_train_test_and_plot(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = json.loads((run / "result.json").read_text())
    tested = spoken(capsys, "test", str(run))
    assert tested["test_reward"] == result["test_reward"] and tested["test_episodes"] == 40
    other = spoken(capsys, "test", str(run), "--samples", "60", "--seed", "2")
    assert other["test_episodes"] == 60 and other["seed"] == 2
    drawn = spoken(capsys, "plot", str(run), "--gif", "--sequence", "2", "--out", str(tmp_path))
    names = [Path(path).name for path in drawn["pictures"]]
    assert names == ["training.png", "episode.png", "memory.gif"]


def test_reports_for_people(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "catch", *TINY, "--rate", "0", "--out", str(tmp_path / "a")]) == 0
    out, err = capsys.readouterr()
    assert "mean reward" in out and "frames" in out and "reward " in err
    assert main(["test", str(run)]) == 0
    assert "caught" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, told",
    [
        (["a question"], "takes no questions"),
        (["--split", "valid"], "--split is no option for the task"),
        (["--samples", "0"], "samples must be 1 to 100,000"),
    ],
)
def test_what_a_run_cannot_be_asked(
    run: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", str(run), *words]) == 2
    assert told in capsys.readouterr().err
