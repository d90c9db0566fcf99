"""A slip at the command line is one clear line on stderr and exit code 2, whatever it is."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import pytest
import torch

from fastweights.cli import app, main
from fastweights.cli.console import json_text, print_table
from fastweights.errors import Note

TINY = ["--steps", "3", "--hidden", "8", "--batch", "4", "--test-samples", "50"]


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that must be refused; return the one line it says."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fastweights: ") and err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", "retrieval", *TINY, "--out", str(folder), "--json"]) == 0
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "did you mean 'train'"),
        (["train", "retrieva"], "did you mean 'retrieval'"),
        (["train", "retrieval", "--model", "lstmm"], "did you mean 'lstm'"),
        (["train", "retrieval", "--pairs", "27"], "1 to 26"),
        (["train", "retrieval", "--pairs", "0"], "1 to 26"),
        (["train", "retrieval", "--pairs", "four"], "--pairs"),
        (["train", "retrieval", "--hidden", "-3"], "hidden"),
        (["train", "retrieval", "--steps", "0"], "steps"),
        (["train", "retrieval", "--graph"], "recorded on a CUDA device, not on cpu"),
        (["train", "retrieval", "--batch", "-1"], "batch"),
        (["train", "retrieval", "--learning-rate", "0"], "learning"),
        (["train", "retrieval", "--decay", "1.5"], "decay"),
        (["train", "retrieval", "--rate", "nan"], "rate"),
        (["train", "retrieval", "--model", "lstm", "--decay", "0.9"], "decay"),
        (["train", "retrieval", "--model", "irnn", "--backend", "cpu"], "backend"),
        (["train", "retrieval", "--curriculum", "2", "3"], "curriculum"),
        (
            ["train", "retrieval", "--pairs", "3", "--curriculum", "1", "2", "3", "--steps", "2"],
            "a curriculum of 3 stages takes as many steps or more, not 2",
        ),
        (["train", "retrieval", "--hidden", str(10**20)], "hidden must be below 2**62"),
        (["train", "retrieval", "--curriculum", "1", str(-(10**20))], "must be above -2**62"),
        (["train", "retrieval", "--hidden", str(10**7), "--seed", str(10**8)], "--hidden 10000000"),
        (["train", "retrieval", f"--hidden={10**12}"], "make --hidden 1000000000000 smaller"),
        (
            ["train", "retrieval", "--batch", str(10**12)],
            "there is not enough memory: make --batch",
        ),
        (
            ["train", "retrieval", "--test-samples", str(10**12)],
            "test_samples must be 1 to 1,000,000",
        ),
        (["train", "catch", "--test-episodes", str(10**9)], "test_episodes must be 1 to 100,000"),
        (["train", "metro-map", "--evaluation-episodes", "0"], "evaluation_episodes must be 1 to"),
        (["train", "retrieval", "--norm-gain", "inf"], "norm_gain must be finite: inf was given"),
        (["train", "retrieval", "--resume"], "there is no run in runs"),
        (["train", "text", "--resume", "--out", "nowhere"], "there is no run in nowhere to resume"),
        (
            ["train", "retrieval", "--pairs", "2", "--curriculum", "2", "--sampling", "fixed"],
            "curriculum",
        ),
        (["train", "retrieval", "--backend", "gpu"], "unknown backend 'gpu'"),
        (["train", "retrieval", "--hiden", "3"], "--hidden"),
        (["train", "retrieval", "--optimiser", "adan"], "rmsprop"),
        (["train", "retrieval", "--device", "tpu9"], "device"),
        (["reproduce", "ba2016-table2x"], "study"),
        (["reproduce", "ba2016-table1", "--budget", "-1"], "budget"),
        (["reproduce", "ba2016-table1", "--only", "no such cell"], "no cell"),
        (
            ["reproduce", "retrieval", "--only", "8"],
            '"8 pairs", "26 pairs", "8 pairs, tested on 26"',
        ),
        (["bench", "nothing"], "benchmark"),
        (["bench", "import", "--device", "cuda"], "metro-map, not import"),
    ],
)
def test_bad_words(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, *words)
    assert not list(tmp_path.rglob("config.json")), "a refused command must leave nothing behind"


@pytest.mark.parametrize(
    ("sequence", "said"),
    [
        ("c9k8j3f1??z", "never occurred"),
        ("c9k8!3f1??c", "symbol 5"),
        ("9ck8j3f1??c", "symbol 1"),
        ("c9k8j3f1c", "??"),
        ("c9k8j3f1??", "??"),
        ("", "empty"),
        ("c9k8j3f??c", "no digit"),
    ],
)
def test_bad_sequences(
    run: Path, sequence: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, "test", str(run), sequence)


def test_bad_test_numbers(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "samples" in refused(capsys, "test", str(run), "--samples", "0")
    assert "1 to 26" in refused(capsys, "test", str(run), "--pairs", "99")
    assert "not both" in refused(capsys, "test", str(run), "c9k8??c", "--samples", "5")


@pytest.mark.parametrize("task", ["retrieval", "catch", "glimpses", "metro-map", "text"])
def test_a_seed_too_large(
    task: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "train", task, "--seed", str(2**64), "--out", str(tmp_path / "run"))
    assert "seed must be below" in said and not (tmp_path / "run").exists()
    assert "seed must be below" in refused(capsys, "test", str(run), "--seed", str(2**64))


def test_figures_that_are_no_numbers_are_null_in_json() -> None:
    assert json_text({"loss": float("nan"), "most": [float("inf"), 1]}) == (
        '{"loss": null, "most": [null, 1]}'
    )


def test_not_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for words in (["test", str(tmp_path), "c9k8??c"], ["plot", str(tmp_path)]):
        assert "not a run" in refused(capsys, *words)
    refused(capsys, "train", "retrieval", *TINY, "--out", str(tmp_path))
    refused(capsys, "train", "retrieval", *TINY, "--out", str(tmp_path), "--overwrite")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_is_not_overwritten_unasked(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "config.json").read_bytes()
    assert "exists" in refused(capsys, "train", "retrieval", *TINY, "--out", str(run))
    assert (run / "config.json").read_bytes() == before


def test_resume_under_another_recipe(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "train", "retrieval", "--resume", "--hidden", "9", "--out", str(run))
    assert "hidden" in said


OTHERWISE = ("--pairs", "2", "--seed", "1", "--query", "trailing-read")


@pytest.mark.parametrize("given", [("--query", "paper"), ("--pairs=4",), ("--seed", "0")])
def test_resume_with_an_option_as_by_default(
    given: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert main(["train", "retrieval", *TINY, *OTHERWISE, "--out", out]) == 0
    capsys.readouterr()
    said = refused(capsys, "train", "retrieval", "--resume", *given, "--out", out)
    name, _, _ = given[0].removeprefix("--").replace("-", "_").partition("=")
    assert f"was begun with {name}" in said
    assert main(["train", "retrieval", "--resume", "--pairs", "2", "--out", out]) == 0


def test_results_that_are_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    for results in (tmp_path / "file", tmp_path / "file" / "below"):
        words = ["reproduce", "retrieval", "--results", str(results), "--runs", str(tmp_path / "r")]
        assert "is a file, not a folder" in refused(capsys, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_model_without_memory_has_no_film(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert main(["train", "retrieval", *TINY, "--model", "lstm", "--out", out, "--plot"]) == 0
    assert "animation" not in capsys.readouterr().err
    assert "lstm has no memory to show" in refused(capsys, "plot", out, "--gif")


def test_memory_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def fails(error: Exception) -> None:
        monkeypatch.setattr(app, "_run", lambda words: (_ for _ in ()).throw(error))

    fails(MemoryError())
    assert "end other programs" in refused(capsys, "plot", "run")
    fails(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    said = refused(capsys, "train", "text", "--batch", "9", "--hidden=70", "--model", "lstm")
    assert "make --hidden 70 or --batch 9 smaller" in said
    fails(OverflowError("int too big to convert"))
    assert "beyond 64 bits" in refused(capsys, "bench")
    fails(TypeError("empty(): argument 'size' failed to unpack: Overflow when unpacking long long"))
    said = refused(capsys, "train", "retrieval", "--inner-steps", str(10**15))
    assert f"make --inner-steps {10**15} smaller" in said
    fails(RuntimeError("a defect"))
    with pytest.raises(RuntimeError, match="a defect"):
        main(["bench"])


@pytest.mark.parametrize("columns", [None, 40])
def test_tables_lose_nothing(
    columns: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if columns:  # a narrow terminal
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.delenv("TERM", raising=False)
    else:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "dumb")
    numbers = [f"{place}.0123456789" for place in range(20 if columns is None else 3)]
    print_table("a table", [f"column {place}" for place in range(len(numbers))], [numbers])
    shown = re.sub("\x1b[^m]*m", "", capsys.readouterr().out)
    assert "…" not in shown
    if columns is None:
        assert all(number in shown for number in numbers)
    else:
        assert sum(map(str.isdigit, shown)) == sum(map(str.isdigit, "".join(numbers))) + 3
        assert max(map(len, shown.splitlines())) <= columns


def test_a_note_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def noting(words: list[str]) -> int:
        warnings.simplefilter("always")
        warnings.warn("so it is", Note, stacklevel=1)
        return 0

    monkeypatch.setattr(app, "_run", noting)
    assert main(["list"]) == 0
    assert capsys.readouterr().err == "fastweights: note: so it is\n"


def test_tampered_config(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    for content in ("", "[]", "{}", '{"format": 99}', json.dumps({"format": 1, "task": 3})):
        (copy / "config.json").write_text(content)
        refused(capsys, "test", str(copy), "c9k8??c")
        refused(capsys, "plot", str(copy))
        refused(capsys, "train", "retrieval", "--resume", "--out", str(copy))


def test_damaged_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = tmp_path / "ba2016-table1" / "cells.jsonl"
    ledger.parent.mkdir()
    ledger.write_text("{not json\n")
    words = ["reproduce", "ba2016-table1", "--results", str(tmp_path), "--runs", str(tmp_path)]
    assert "line 1" in refused(capsys, *words)


def test_what_trains_nothing_has_no_options_of_training(tmp_path, capsys):
    for option in (("--jobs", "2"), ("--only", "x"), ("--budget", "3"), ("--modes", "qa")):
        words = ["reproduce", "fwm-bindings", *option, "--results", str(tmp_path)]
        assert f"no {option[0]}" in refused(capsys, *words)


def test_brackets_are_no_markup(capsys):
    print_table("a[bold]b", ("[red]",), [("[/red] [bold]",)])
    shown = capsys.readouterr().out
    assert "a[bold]b" in shown and "[/red] [bold]" in shown and "[red]" in shown
