"""The verbs on a run on the metro maps, in process, at a tiny size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastweights.cli import main

TINY = ["--hidden", "6", "--memory-size", "4", "--graphs", "10", "--horizon", "6", "--updates", "2"]
TINY += ["--backend", "chunked", "--evaluation-interval", "1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", "metro-map", *TINY, "--out", str(folder), "--json"]) == 0
    return folder


def test_test_and_plot(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(run), "--json"]) == 0
    tested = json.loads(capsys.readouterr().out)
    assert tested["test_reward"] == json.loads((run / "result.json").read_text())["test_reward"]
    assert main(["plot", str(run), "--sequence", "9", "--out", str(tmp_path), "--json"]) == 0
    drawn = json.loads(capsys.readouterr().out)["pictures"]
    assert [Path(path).stem for path in drawn] == ["training", "within-episode", "episode"]


def test_reports_for_people(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "metro-map", *TINY, "--rules", "fixed", "--out", str(tmp_path / "fixed")]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "metro maps (fixed)" in out and "updates a second" in out and "weights" in err
    assert main(["test", str(run), "--split", "train", "--samples", "20"]) == 0
    out = capsys.readouterr().out
    assert "train maps" in out and "test maps" not in out and "20 fresh episodes" in out


@pytest.mark.parametrize(
    "words, told",
    [
        (["a question"], "takes no questions"),
        (["--split", "valid"], "split"),
        (["--pairs", "4"], "--pairs is no option for the task"),
    ],
)
def test_what_a_run_cannot_be_asked(
    run: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", str(run), *words]) == 2
    assert told in capsys.readouterr().err
