"""The verbs of language models on a text made here: train, resume, ask, test, generate, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from fastweights.cli import main
from fastweights.cli.app import INTERRUPTED
from fastweights.experiments.runner import train
from fastweights.experiments.text import TEXT
from fastweights.experiments.text import writing as written
from fastweights.experiments.text.options import TextOptions
from fastweights.runs import Run
from fastweights.runs.records import sealed

pytestmark = pytest.mark.usefixtures("unsynced")

SMALL = ("--embedding", "6", "--hidden", "8", "--batch", "4", "--length", "20", "--epochs", "2")
TINY = ("--model", "awd-lstm", *SMALL)
FIGURES = {
    *("model", "data", "preset", "notes", "epochs", "words_per_second", "validation_perplexity"),
    *("validation_perplexity_1", "validation_bits_per_word", "test_perplexity"),
    *("test_perplexity_tuned", "temperature", "test_bits_per_word", "test_words", "test_rows"),
    *("test_seconds", "steps", "limit_seconds", "train_seconds", "compile_seconds", "parameters"),
    *("backend", "processes", "threads", "seed", "out", "unit"),
}


def spoken(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    """Run a command with --json; stdout must be that one JSON value."""
    capsys.readouterr()
    assert main([*(str(word) for word in words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that must be refused; return the one line it says."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and err.startswith("fastweights: ")
    return err


@pytest.fixture(scope="module")
def run(text_files, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", "text", "--data", *text_files, *TINY, "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("model", ["awd-fwm", "awd-lstm", "lstm"])
def test_train_records_its_result(model, text_files, tmp_path, capsys):
    sizes = SMALL if model != "lstm" else (*SMALL[:2], *SMALL[4:])
    memory = ("--memory-size", 4) if model == "awd-fwm" else ()
    given = ("--data", *text_files, "--model", model, *sizes, *memory, "--out", tmp_path / "run")
    result = spoken(capsys, "train", "text", *given)
    assert set(result) == FIGURES
    assert result == Run.open(tmp_path / "run").result()
    assert result["model"] == model and result["data"] == Path(text_files[0]).parent.name
    assert result["epochs"] == 2 and result["test_perplexity_tuned"] > 1
    assert result["test_perplexity_tuned"] < 1.02 * result["test_perplexity"]
    assert result["test_perplexity"] == pytest.approx(2 ** result["test_bits_per_word"], rel=0.02)


def test_report_for_people(text_files, tmp_path, capsys):
    given = ["--data", *text_files, *TINY, "--out", str(tmp_path / "run")]
    assert main(["train", "text", *given]) == 0
    out, err = capsys.readouterr()
    for said in ("test perplexity", "chosen by validation", "bits per word", "2 epochs", "run: "):
        assert said in out
    first, *others = err.splitlines()
    epochs = [
        line for line in others if line.startswith("epoch")
    ]  # on slow machines tenths besides
    assert "awd-lstm" in first and "30 different" in first
    assert [line.split("  ")[0] for line in epochs] == ["epoch 1/2", "epoch 2/2"]
    assert "to go" in epochs[0] and "validation" in epochs[1]


def test_pieces_of_words(text_files, tmp_path, capsys):
    pytest.importorskip("tokenizers")
    words = ("--tokenizer", "bpe", "--vocabulary", "270", "--out", tmp_path / "run")
    result = spoken(capsys, "train", "text", "--data", *text_files, *TINY, *words)
    # More pieces than words, so that a word takes more bits than a piece.
    assert 2 ** result["test_bits_per_word"] > 2 * result["test_perplexity"]
    (answer,) = spoken(capsys, "test", tmp_path / "run", "a zebra 🦓")
    assert answer["unknown"] == [] and len(answer["words"]) > 3
    told = sum(piece["bits"] for piece in answer["words"])
    assert result["unit"] == answer["unit"] == "piece"
    assert answer["bits_per_word"] == pytest.approx(told / 3, rel=1e-5)
    assert main(["test", str(tmp_path / "run"), "a zebra"]) == 0
    assert "perplexity of a piece" in capsys.readouterr().out
    for verb in ("test", "generate"):
        assert "the text is not UTF-8" in refused(capsys, verb, tmp_path / "run", "caf\udce9")
    made = spoken(capsys, "generate", tmp_path / "run", "a zebra", "--words", 30)
    assert made["text"].startswith("a zebra")


def test_interrupted_and_resumed_equals_uninterrupted(text_files, tmp_path, capsys):
    options = TextOptions(
        data=text_files,
        model="awd-fwm",
        embedding=6,
        hidden=8,
        memory_size=4,
        batch=4,
        length=30,
        epochs=2,
    )
    whole = train(TEXT, options, tmp_path / "whole")
    asked = iter([False] * 5 + [True])
    assert train(TEXT, options, tmp_path / "cut", stop=lambda: next(asked)).interrupted
    result = spoken(capsys, "train", "text", "--resume", "--out", tmp_path / "cut")
    times = {"out", "train_seconds", "test_seconds", "compile_seconds", "words_per_second"}
    assert {k: v for k, v in result.items() if k not in times} == {
        k: v for k, v in whole.result.items() if k not in times
    }
    ours, theirs = (
        Run.open(tmp_path / name).load_checkpoint().tensors for name in ("whole", "cut")
    )
    assert ours.keys() == theirs.keys() and len(ours) > 10
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_minutes_end_a_run_that_more_minutes_go_on_with(text_files, tmp_path, capsys):
    words = ("--data", *text_files, *TINY, "--minutes", "1e-6", "--out", tmp_path / "run")
    first = spoken(capsys, "train", "text", *words)
    assert first["steps"] == 1 and 0 < first["epochs"] < 1
    more = ("--resume", "--minutes", "1", "--out", tmp_path / "run")
    assert spoken(capsys, "train", "text", *more)["epochs"] == 2
    # Another limit than the one it had, which then need not be said again.
    for again in (("--epochs", "3"), ()):
        last = spoken(capsys, "train", "text", "--resume", *again, "--out", tmp_path / "run")
        assert (last["epochs"], last["limit_seconds"]) == (3, None)


def test_ask_by_words_and_by_pipe(run, monkeypatch, capsys):
    answers = spoken(capsys, "test", run, "the cat sees a fish", "nobody")
    assert [len(answer["words"]) for answer in answers] == [5, 1]
    assert answers[0]["words"][1]["word"] == "cat"
    monkeypatch.setattr("sys.stdin", io.StringIO("the cat\n nobody sees\n"))
    (piped,) = spoken(capsys, "test", run)
    assert [word["word"] for word in piped["words"]] == ["the", "cat", "<eos>", "nobody", "sees"]
    assert main(["test", str(run), "the zebra"]) == 0
    out, err = capsys.readouterr()
    assert "likeliest" in out and "bits a word" in out and "<unk>" in out
    assert err == "not in the vocabulary, read as <unk>: zebra\n"


def test_a_test_on_a_split_and_on_a_file(run, text_files, capsys):
    recorded = json.loads((run / "result.json").read_text())
    tested = spoken(capsys, "test", run, "--split", "test")
    assert tested["perplexity"] == pytest.approx(recorded["test_perplexity"], rel=1e-5)
    assert tested["rows"] == 2 and tested["words"] == recorded["test_words"]
    valid = spoken(capsys, "test", run, "--split", "valid")
    assert valid["perplexity"] == pytest.approx(recorded["validation_perplexity"], rel=1e-5)
    file = spoken(capsys, "test", run, "--file", text_files[2])
    assert file["perplexity"] == pytest.approx(tested["perplexity"], rel=0.1)
    assert file["words"] == tested["words"] and file["perplexity"] != tested["perplexity"]
    assert main(["test", str(run), "--file", text_files[2]]) == 0
    assert "unknown words" in capsys.readouterr().out


def test_generate_prints_words_as_they_come(run, monkeypatch, capsys):
    made = spoken(capsys, "generate", run, "the cat", "--words", 20, "--seed", 3)
    assert made["text"].startswith("the cat") and made["words"] == 20 and made["seed"] == 3
    assert len(made["text"].replace("\n", " <eos> ").split()) == 22
    assert main(["generate", str(run), "the cat", "--words", "20", "--seed", "3"]) == 0
    assert capsys.readouterr().out == f"{made['text']}\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("the cat\n"))
    assert spoken(capsys, "generate", run, "--words", 20, "--seed", 3) == made
    other = spoken(capsys, "generate", run, "the cat", "--words", 20, "--seed", 4)
    assert other["text"] != made["text"]


def test_ctrl_c_ends_a_text_with_its_line(run, monkeypatch, capsys):
    real = written.generate

    def cut(*given: Any, **options: Any):
        yield from list(real(*given, **options))[:3]
        raise KeyboardInterrupt

    monkeypatch.setattr(written, "generate", cut)
    capsys.readouterr()
    assert main(["generate", str(run), "the cat"]) == INTERRUPTED
    out, err = capsys.readouterr()
    assert out.startswith("the cat") and out.endswith("\n") and err == "fastweights: interrupted\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data"], "the list of texts is empty"),
        (["--data", "a", "b"], "not 2 names"),
        (["--data", "nowhere.txt"], "no such text"),
        (["--preset", "large"], "--preset"),
        (["--model", "awd-ltsm"], "did you mean 'awd-lstm'"),
        (["--epochs", "0"], "epochs must be at least 1"),
        (["--batch", "0"], "batch must be at least 1"),
        (["--batch", "5000"], "too short for 5000 rows"),
        (["--minutes", "nan"], "minutes must be more than 0"),
        (["--minutes", "1", "--schedule", "cosine"], "leave out one of minutes and schedule"),
        (["--word-dropout", "2"], "word_dropout must be from 0 to 1"),
        (["--input-dropout", "-1"], "input_dropout must be from 0 to 1"),
        (["--averaging-epoch", "0"], "averaging_epoch must be at least 1"),
        (["--averaging-patience", "0"], "averaging_patience must be at least 1"),
        (["--reads", "2"], "model 'awd-lstm' has no reads"),
        (["--vocabulary", "2"], "too small"),
        (["--set", "layers=3"], "--layers 3"),
        (["--set", "layer=3"], "did you mean 'layers'"),
        (["--seed", "-1"], "seed must not be negative"),
        (["--seed", str(2**62)], "seed must be below 2**62"),
        (["--device", "tpu9"], "device"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_words(words, said, text_files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = () if "--data" in words else ("--data", *text_files)
    assert said in refused(capsys, "train", "text", *data, *TINY, *words)
    assert not list(tmp_path.iterdir()), "a refused command must leave nothing behind"


@pytest.mark.usefixtures("unchecked")
def test_bad_files(run, tmp_path, capsys):
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 au lait\n")
    (tmp_path / "one.txt").write_text("word\n")
    for name, said in (("empty", "is empty"), ("latin", "not UTF-8"), ("one", "cut into train")):
        file = tmp_path / f"{name}.txt"
        assert said in refused(capsys, "train", "text", "--data", file, *TINY)
        if name != "one":
            assert said in refused(capsys, "test", run, "--file", file)
    assert "no such text" in refused(capsys, "test", run, "--file", tmp_path / "none.txt")


def test_short_texts_are_read_in_fewer_rows(tmp_path, capsys):
    for name, lines in (("train", 40), ("valid", 2), ("test", 1)):
        (tmp_path / f"{name}.txt").write_text("the cat sat\n" * lines)
    files = [tmp_path / f"{name}.txt" for name in ("train", "valid", "test")]
    given = ("--data", *files, *TINY, "--out", tmp_path / "run")
    result = spoken(capsys, "train", "text", *given)
    assert result["test_words"] == 4 and result["test_rows"] == 1
    for split in ("test", "valid"):
        tested = spoken(capsys, "test", tmp_path / "run", "--split", split)
        named = {"test": "test_perplexity", "valid": "validation_perplexity"}[split]
        assert tested["perplexity"] == pytest.approx(result[named], rel=1e-5)
        assert tested["rows"] == 1


def test_a_file_is_found_at_home(text_files, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(Path(text_files[0]).parent))
    assert TextOptions(data=("~/train.txt",)).data == (text_files[0],)


def test_standard_input_is_utf_8_whatever_the_locale(run, monkeypatch, capsys):
    class Input(io.StringIO):
        buffer = io.BytesIO("the cät".encode())

    monkeypatch.setattr("sys.stdin", Input())
    assert spoken(capsys, "generate", run, "--words", 1)["unknown"] == ["cät"]
    Input.buffer = io.BytesIO(b"the c\xe9t")
    for verb in ("test", "generate"):
        assert "standard input is not UTF-8" in refused(capsys, verb, run)
        Input.buffer.seek(0)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("task", "tokenizer"), None),
        (("task", "tokenizer", "vocabulary"), 5),
        (("task", "tokenizer", "vocabulary"), [["the"]]),
        (("task", "options"), None),
        (("plan",), None),
        (("model",), []),
    ],
)
def test_a_record_that_was_changed(keys, value, run, tmp_path, capsys):
    other = shutil.copytree(run, tmp_path / "run")
    config = json.loads((other / "config.json").read_text())
    entry = config
    for key in keys[:-1]:
        entry = entry[key]
    entry[keys[-1]] = value
    (other / "config.json").write_text(json.dumps(sealed(config)))
    if keys[-1] in ("tokenizer", "vocabulary", "model"):
        refused(capsys, "generate", other, "the cat")
        refused(capsys, "test", other, "the cat")
    if keys[-1] in ("options", "plan", "model"):
        refused(capsys, "test", other, "--split", "test")
    refused(capsys, "plot", other, "--sequence", "the cat")


def test_bad_prompts_and_runs(run, text_files, tmp_path, monkeypatch, capsys):
    assert "the text is empty" in refused(capsys, "generate", run, " \n")
    assert "the text is empty" in refused(capsys, "test", run, "the cat", "")
    wrong = (("--temperature", "-1"), ("--top-k", "0"), ("--top-p", "0"), ("--seed", str(2**64)))
    for option, value in wrong:
        said = refused(capsys, "generate", run, "the cat", option, value)
        assert option.removeprefix("--").replace("-", "_") in said
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert "no texts on standard input" in refused(capsys, "test", run)
    assert "is not a run folder" in refused(capsys, "generate", tmp_path, "the cat")
    assert "not both" in refused(capsys, "test", run, "--split", "test", "--file", text_files[0])
    assert "not both" in refused(capsys, "test", run, "the cat", "--split", "test")
    assert "did you mean 'test'" in refused(capsys, "test", run, "--split", "tests")
    assert "--pairs is no option" in refused(capsys, "test", run, "--pairs", "4")


def test_a_run_of_another_vocabulary_or_text(run, text_files, tmp_path, capsys):
    other = shutil.copytree(run, tmp_path / "run")
    config = json.loads((other / "config.json").read_text())
    config["task"]["tokenizer"]["vocabulary"].append("zebra")
    (other / "config.json").write_text(json.dumps(sealed(config)))
    said = "a model of 30 words and a vocabulary of 31"
    assert said in refused(capsys, "generate", other, "the zebra")
    assert said in refused(capsys, "test", other, "the zebra")
    changed = shutil.copytree(Path(text_files[0]).parent, tmp_path / "text")
    (changed / "train.txt").write_text("other words\n" * 99)
    moved = json.loads((run / "config.json").read_text())
    moved["task"]["options"]["data"] = [str(changed / Path(file).name) for file in text_files]
    (other / "config.json").write_text(json.dumps(sealed(moved)))
    assert "was trained on other words" in refused(capsys, "test", other, "--split", "test")


def test_a_run_of_another_task_goes_on_with_no_text(tmp_path, capsys):
    words = ["--steps", "2", "--hidden", "4", "--batch", "4", "--test-samples", "50"]
    assert main(["train", "retrieval", *words, "--out", str(tmp_path / "run")]) == 0
    assert "no run of `train text`" in refused(capsys, "generate", tmp_path / "run", "the cat")
