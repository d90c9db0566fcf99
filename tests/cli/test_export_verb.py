"""`fastweights export`, and a model by its name, at the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastweights.cli import main
from fastweights.runs import Run

TINY = ["--steps", "4", "--hidden", "8", "--batch", "4", "--test-samples", "60"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", "retrieval", *TINY, "--out", str(folder), "--json"]) == 0
    return folder


def answers(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_what_is_exported_answers_as_the_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tiny"
    written = answers(capsys, "export", str(run), "--out", str(out))
    assert written == {
        "out": str(out),
        "run": str(run),
        "task": "retrieval",
        "model": "fast-weights",
        "bytes": (out / "model.safetensors").stat().st_size,
        "dtype": "float32",
        "step": 4,
    }
    asked = "c9k8j3f1??c"
    assert answers(capsys, "test", str(out), asked) == answers(capsys, "test", str(run), asked)


def test_the_card_has_the_figures_of_the_record(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run), "--out", str(tmp_path / "tiny"), "--dtype", "float16"]) == 0
    assert "bytes of weights in float16" in capsys.readouterr().out
    card = (tmp_path / "tiny" / "README.md").read_text()
    result = Run.open(run).result()
    assert result is not None
    assert f"| test accuracy | {100 * result['test_accuracy']:.3f} %" in card
    assert f"| weights | {result['parameters']:,} |" in card
    assert card.startswith("---\nlibrary_name: fastweights\n")
    assert "stored in float16" in card and "`hidden` 8" in card and str(run) not in card


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("export", "{run}", "--out", "{run}"), "exists already"),
        (("export", "{out}", "--out", "again"), "exported model already"),
        (("export", "nowhere", "--out", "again"), "not a run folder"),
        (("plot", "{out}"), "stays as it is"),
        (("train", "retrieval", "--resume", "--out", "{out}"), "no state of training"),
        (("test", "catbabi", "Who is Ulysses?"), "ulysses"),
    ],
)
def test_slips(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    complaint: str,
) -> None:
    out = tmp_path / "out"
    assert main(["export", str(run), "--out", str(out)]) == 0
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    assert main([word.format(run=run, out=out) for word in words]) == 2
    error = capsys.readouterr().err.splitlines()
    assert complaint in error[-1] and "Traceback" not in "".join(error)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_models_that_come_with_the_library_answer(capsys: pytest.CaptureFixture[str]) -> None:
    (recalled,) = answers(capsys, "test", "retrieval", "a3k7q1x9b2m5t8z4??q")
    assert recalled["answer"] == "1"
    story = "Mary went to the kitchen. John went to the garden. Where is Mary?"
    (read,) = answers(capsys, "test", "catbabi", story)
    assert read["questions"][0]["answer"] == "kitchen"
