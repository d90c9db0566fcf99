"""A slip with catbAbI is one clear line on stderr and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from babi_runs import SMALL, TINY, refused, spoken, trained

from babi_made import make_release
from fastweights.cli import main

pytestmark = pytest.mark.usefixtures("unsynced")

STORY = "Mary went to the kitchen. Where is Mary?"


@pytest.fixture(scope="module")
def run(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    return trained(folder, "--data-dir", release, *TINY)


@pytest.fixture(scope="module")
def retrieval(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "retrieval"
    words = ["--steps", "2", "--hidden", "8", "--batch", "4", "--test-samples", "50"]
    assert main(["train", "retrieval", *words, "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tasks"], "the list of tasks is empty"),
        (["--tasks", "21"], "1 to 20, not 21"),
        (["--tasks", "0", "3"], "1 to 20, not 0"),
        (["--tasks", "1", "--often", "4"], "task 4 cannot be repeated"),
        (["--tasks", "1", "--rename-tasks", "4"], "task 4 cannot be renamed"),
        (["--names", "any", "--stories", "all"], "names is of generated stories: --stories"),
        (["--stories", "generated", "--window", "0"], "window must be at least 1, not 0"),
        (["--stories", "generated", "--questions", "0"], "questions must be at least 1, not 0"),
        (["--stories", "generated", "--rename", "all"], "are neither renamed nor of a size"),
        (["--release", "1k"], "en-valid: is it bAbI v1.2"),
        (["--minutes", "0"], "minutes must be more than 0"),
        (["--minutes", "nan"], "minutes must be more than 0"),
        (["--minutes", "inf"], "minutes must be more than 0, not inf"),
        (["--model", "mnm", "--meta-objective", "-1"], "meta_objective must not be negative"),
        (["--minutes", "1", "--schedule", "cosine"], "leave out one of minutes and schedule"),
        (["--mode", "both"], "--mode"),
        (["--model", "fmw"], "did you mean 'fwm'"),
        (["--batch", "0"], "batch must be at least 1"),
        (["--length", "-1"], "length must be at least 1"),
        (["--test-rows", "0"], "test_rows must be 1 to 4,096, not 0"),
        (["--test-rows", str(2**31)], "test_rows must be 1 to 4,096"),
        (["--validation-segments", "0"], "validation_segments must be at least 1"),
        (["--evaluation-interval", "0"], "evaluation interval must be at least 1"),
        (["--word-dropout", "2"], "word_dropout must be from 0 to 1"),
        (["--learning-rate", "0"], "learning rate must be positive"),
        (["--reads", "0"], "reads is 0"),
        (["--set", "write_scal=1"], "did you mean 'write_scale'"),
        (["--set", "hidden_size=3"], "unknown option of model 'fwm'"),
        (["--set", "write_scale"], "NAME=VALUE"),
        (["--set", "write_scale=much"], "write_scale is 'much'"),
        (["--set", "clamp=no"], "clamp is true or false"),
        (["--set", "backend=reference"], "--backend reference"),
        (["--set", "memory_size=3"], "--memory-size 3"),
        (["--device", "tpu9"], "device"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_words(words, said, release, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, "train", "catbabi", "--data-dir", release, *TINY, *words)
    assert not list(tmp_path.iterdir()), "a refused command must leave nothing behind"


@pytest.mark.parametrize(
    "option", [("reads", 2), ("combine", "concat"), ("variant", "paper"), ("memory-size", 4)]
)
def test_options_of_the_memory_are_foreign_to_other_models(option, release, tmp_path, capsys):
    given = ("--data-dir", release, *SMALL, "--model", "lstm", f"--{option[0]}", option[1])
    said = refused(capsys, "train", "catbabi", *given, "--out", tmp_path / "run")
    assert f"model 'lstm' has no {option[0].replace('-', '_')}; accepted by fwm" in said


def test_data_that_is_not_there(release, run, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FASTWEIGHTS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    said = refused(capsys, "train", "catbabi", *TINY, "--stories", "release")
    assert all(
        way in said for way in ("fastweights data get babi", "--data-dir", "FASTWEIGHTS_DATA")
    )
    said = refused(capsys, "train", "catbabi", *TINY, "--data-dir", "nowhere")
    assert "in nowhere" in said and "fastweights data get babi" in said
    data = Path(shutil.copytree(release, tmp_path / "copy" / release.name))
    (data / "en-valid-10k" / "qa7_test.txt").unlink()
    for words in (("train", "catbabi", *TINY), ("test", run, "--split", "test"), ("plot", run)):
        said = refused(capsys, *words, "--data-dir", data)
        assert "lacks en-valid-10k/qa7_test.txt" in said and "leave task 7 out" in said
    (data / "en-valid-10k" / "qa7_test.txt").write_text("1 Mary went home.\n3 no\n")
    said = refused(capsys, "train", "catbabi", *TINY, "--data-dir", data)
    assert "qa7_test.txt, line 2" in said
    assert {path.name for path in tmp_path.iterdir()} <= {"cache", "copy"}


def test_data_of_another_release(run, tmp_path, capsys):
    other = make_release(tmp_path, 8, seed=1)
    commands = (("test", run, "--split", "test"), ("plot", run))
    for words in commands:
        said = refused(capsys, *words, "--data-dir", other)
        assert f"{run} was trained on other words or stories" in said


def test_a_run_is_not_resumed_on_other_data_or_as_another_model(release, tmp_path, capsys):
    from fastweights.experiments.catbabi import CATBABI
    from fastweights.experiments.catbabi.options import CatBAbIOptions
    from fastweights.experiments.runner import train

    out = tmp_path / "run"
    options = CatBAbIOptions(
        data_dir=release, hidden=8, embedding=6, memory_size=4, steps=3, length=10, batch=2
    )
    assert train(CATBABI, options, out, stop=lambda: True).interrupted
    resume = ("train", "catbabi", "--resume", "--out", out)
    other = make_release(tmp_path, 8, seed=1)
    assert "trained on other words" in refused(capsys, *resume, "--data-dir", other)
    assert "begun with model fwm, not lstm" in refused(capsys, *resume, "--model", "lstm")
    assert "begun with mode qa, not lm" in refused(capsys, *resume, "--mode", "lm")
    assert spoken(capsys, *resume, "--model", "fwm-lstm", "--hidden", "8")["steps"] == 3


@pytest.mark.parametrize(
    ("story", "said"),
    [
        ("Mary went to the kitchn. Where is Mary?", "'kitchn'"),
        ("Mary went to the kitchn. Where is Mary?", "nearest is 'kitchen'"),
        ("Where is Mary? kitchen Where is Zoltan?", "'zoltan'"),
        ("Mary went to the kitchen.", "asks nothing"),
        ("", "asks nothing"),
    ],
)
def test_bad_stories(story, said, run, capsys):
    assert said in refused(capsys, "test", run, STORY, story)
    assert said in refused(capsys, "plot", run, "--sequence", story or ".", "--out", run / "no")
    assert not (run / "no").exists()


def test_nothing_piped_in(run, monkeypatch, capsys):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("\n \n"))
    assert "no stories on standard input" in refused(capsys, "test", run)


def test_options_and_runs_of_the_other_task(run, retrieval, capsys):
    for option in ("--pairs", "--samples", "--seed"):
        assert f"{option} is no option" in refused(capsys, "test", run, option, "4")
    for option, value in (("--split", "test"), ("--data-dir", ".")):
        said = refused(capsys, "test", retrieval, option, value)
        assert f"{option} is no option" in said
    assert "not both" in refused(capsys, "test", run, STORY, "--split", "test")
    assert "did you mean 'test'" in refused(capsys, "test", run, "--split", "tests")
    assert "cannot be compared" in refused(capsys, "plot", run, retrieval)
    for task, other in (("retrieval", run), ("catbabi", retrieval)):
        said = refused(capsys, "train", task, "--resume", "--out", other)
        assert "is not a run of this command" in said


def test_runs_that_have_no_figure_in_common(run, release, tmp_path, capsys):
    other = trained(tmp_path / "lm", "--data-dir", release, *TINY, "--mode", "lm")
    said = refused(capsys, "plot", run, other, "--out", tmp_path / "figures")
    assert "different modes" in said


def test_a_rate_gone_wild_is_recorded_in_numbers_that_json_has(release, tmp_path, capsys):
    words = ("--data-dir", release, *TINY, "--learning-rate", "1e6", "--warmup", "0")
    result = spoken(capsys, "train", "catbabi", *words, "--out", tmp_path / "run")
    assert 1e300 < result["test_perplexity"] < float("inf")
