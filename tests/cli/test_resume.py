"""`--resume` as people and schedulers use it: one command line from the first start to the finished run."""

import shutil
from pathlib import Path

import pytest

from fastweights.cli.app import main
from fastweights.experiments import runner
from fastweights.runs import Run

TINY = ("--steps", "4", "--hidden", "4", "--batch", "4", "--test-samples", "50")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "retrieval", *TINY, "--out", str(folder)]) == 0
    return folder


def said(capsys, *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["train", "retrieval", *words])
    return code, capsys.readouterr().err


@pytest.mark.parametrize("there", [None, (), (".lock", ".config.json.1.0123abcd.tmp")])
def test_auto_begins_goes_on_and_is_content(there, tmp_path, capsys):
    folder = tmp_path / "run"
    if there is not None:
        folder.mkdir()
        for name in there:
            (folder / name).write_text("")
    line = (*TINY, "--out", str(folder), "--resume", "auto")
    assert said(capsys, *line)[0] == 0
    result = Run.open(folder).result()
    assert result is not None and result["steps"] == 4
    assert said(capsys, *line) == (0, "")
    assert Run.open(folder).result() == result


def test_resume_alone_begins_nothing(tmp_path, capsys):
    code, line = said(capsys, *TINY, "--out", str(tmp_path / "run"), "--resume")
    assert code == 2 and "--resume auto" in line and not list(tmp_path.iterdir())
    code, line = said(capsys, *TINY, "--out", str(tmp_path / "run"), "--resume", "now")
    assert code == 2 and "before auto, not now" in line


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("checkpoint", "is missing"),
        ("checkpoint/000000004/model.safetensors", "damaged"),
        ("metrics.jsonl", "lacks its rows"),
    ],
)
@pytest.mark.parametrize("resume", [("--resume",), ("--resume", "auto")])
def test_a_finished_run_is_looked_through(name, told, resume, finished, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
    code, line = said(capsys, "--out", str(folder), *resume)
    assert code == 2 and told in line and line.splitlines()[-1].startswith("fastweights: ")


def test_rows_that_are_missing_are_said_wherever_the_run_is_read(finished, tmp_path, caplog):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    path = folder / "metrics.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    for words in (
        ("test", str(folder), "a1b2??a"),
        ("train", "retrieval", "--resume", "--out", str(folder)),
    ):
        caplog.clear()
        assert main(words) == 0
        assert "metrics.jsonl was changed: " in caplog.text


def test_a_finished_run_without_its_newest_checkpoint_is_made_whole(finished, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    run = Run.open(folder)
    whole = run.load_checkpoint()
    (folder / "checkpoint" / "000000004").rename(tmp_path / "kept")
    stopped = tmp_path / "stopped"
    stop = iter((False, True))
    plan = dict(zip(TINY[::2], TINY[1::2], strict=True))
    options = {key[2:].replace("-", "_"): int(value) for key, value in plan.items()}
    from fastweights.experiments.retrieval import RETRIEVAL

    runner.train(RETRIEVAL, RETRIEVAL.options(**options), stopped, stop=lambda: next(stop))
    (older,) = (stopped / "checkpoint").iterdir()
    older.rename(folder / "checkpoint" / older.name)
    assert said(capsys, "--out", str(folder), "--resume")[0] == 0
    again = run.load_checkpoint()
    assert whole is not None and again is not None and again.step == 4
    assert all((again.tensors[name] == tensor).all() for name, tensor in whole.tensors.items())


@pytest.mark.parametrize("failure", [RuntimeError("out of memory"), KeyboardInterrupt()])
def test_what_fails_before_there_is_a_checkpoint_leaves_nothing(
    failure, tmp_path, monkeypatch, capsys
):
    def fail(*_args, **_options):
        raise failure

    monkeypatch.setattr(runner, "fit", fail)
    monkeypatch.chdir(tmp_path)
    assert said(capsys, *TINY)[0] in (2, 130)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_overwrite_keeps_the_run(finished, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(finished, tmp_path / "run")

    def fail(*_args, **_options):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(runner, "fit", fail)
    assert said(capsys, *TINY, "--out", str(folder), "--overwrite")[0] == 2
    assert Run.open(folder).result() == Run.open(finished).result()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_that_recorded_older_names_of_options_goes_on(finished, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    run = Run.open(folder)
    plan = run.config["plan"]
    older = {{"query": "form", "sampling": "data"}.get(name, name): plan[name] for name in plan}
    run.update_config({**run.config, "plan": older})
    assert said(capsys, "--out", str(folder), "--resume")[0] == 0
    assert (
        "query paper, not"
        in said(capsys, "--out", str(folder), "--resume", "--query", "trailing-read")[1]
    )


@pytest.mark.parametrize(
    ("words", "backend"),
    [((), "chunked"), (("--backend", "reference"), "reference"), (("--backend", "auto"), "cpu")],
)
def test_a_run_goes_on_with_the_backend_it_was_begun_with_unless_another_is_given(
    words, backend, tmp_path
):
    folder = tmp_path / "run"
    line = ["train", "retrieval", *TINY, "--out", str(folder), "--backend", "chunked"]
    assert main(line) == 0
    (folder / "result.json").unlink()
    assert main(["train", "retrieval", "--out", str(folder), "--resume", *words]) == 0
    assert Run.open(folder).result()["backend"] == backend


def test_a_finished_run_is_tested_anew_with_other_options_of_its_test(finished, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    before = Run.open(folder).result()
    weights = (folder / "checkpoint" / "000000004" / "model.safetensors").read_bytes()
    for samples in ("70", "70", "50"):
        assert said(capsys, "--out", str(folder), "--resume", "--test-samples", samples)[0] == 0
        result = Run.open(folder).result()
        assert result is not None and result["test_samples"] == int(samples)
        assert Run.open(folder).config["plan"]["test_samples"] == int(samples)
    other = {"out", "train_seconds"}
    assert {k: v for k, v in result.items() if k not in other} == {
        k: v for k, v in before.items() if k not in other
    }
    assert (folder / "checkpoint" / "000000004" / "model.safetensors").read_bytes() == weights


def test_a_run_from_before_an_option_that_is_off_by_default_goes_on(finished, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    run = Run.open(folder)
    plan = {name: value for name, value in run.config["plan"].items() if name != "curriculum"}
    run.update_config({**run.config, "plan": plan})
    assert said(capsys, "--out", str(folder), "--resume")[0] == 0
    assert "curriculum" not in Run.open(folder).config["plan"]
