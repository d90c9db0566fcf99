"""Options in a file: what is printed is read as the same run, the command line wins, and a slip is one line."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from fastweights import models
from fastweights.cli import main
from fastweights.cli.config import toml, with_config
from fastweights.cli.parsing import parse
from fastweights.cli.train import Train
from fastweights.errors import UserError
from fastweights.experiments import registry

TINY = ["--steps", "2", "--hidden", "4", "--batch", "4", "--test-samples", "4"]


def printed(capsys, *words: str) -> str:
    assert main(["train", *words, "--print-config"]) == 0
    return capsys.readouterr().out


def pairs() -> list[tuple[str, str]]:
    found = []
    for name, experiment in registry.EXPERIMENTS.items():
        for model in models.names():
            try:
                experiment.plan(experiment.options(model=model))
            except UserError:
                continue
            found.append((name, model))
    return found


@pytest.mark.parametrize(("task", "model"), pairs())
def test_what_is_printed_is_read_as_the_same_run(task, model, tmp_path, capsys):
    experiment = registry.get(task)
    file = tmp_path / "run.toml"
    file.write_text(printed(capsys, task, "--model", model))
    words = with_config(["--config", str(file)], task, experiment.options)
    read = parse(f"train {task}", Train[experiment.options], words).experiment
    assert experiment.plan(read) == experiment.plan(experiment.options(model=model))


@pytest.mark.parametrize("suffix", ["toml", "yaml", "yml"])
def test_the_command_line_wins(suffix, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    entries = tomllib.loads(printed(capsys, "retrieval", *TINY, "--seed", "3", "--repeat-keys"))
    text = "\n".join(toml(entries.pop("task"), entries)) if suffix == "toml" else yaml.dump(entries)
    Path(f"run.{suffix}").write_text(text)
    line = ["train", "retrieval", "--seed", "5", f"--config=run.{suffix}", "--out", "run", "--json"]
    assert main(line) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 5
    plan = json.loads((tmp_path / "run" / "config.json").read_text())["plan"]
    assert plan["repeat_keys"] is True and plan["hidden"] == 4 and plan["layer_norm"] is True


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps = ", "cannot be read"),
        ("step = 3", "retrieval has no option 'step'"),
        ('task = "catch"', "is of task 'catch', not of 'retrieval'"),
        ("repeat_keys = 1", "repeat_keys is true or false, not 1"),
        ("[steps]\nn = 1", "steps is a value or a list of them"),
        ('steps = "many"', "--steps"),
        ("\x00", "cannot be read"),
    ],
)
def test_a_slip_in_a_file_is_said_and_leaves_nothing(text, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("run.toml").write_text(text)
    assert main(["train", "retrieval", "--config", "run.toml"]) == 2
    told = capsys.readouterr().err
    assert words in told and len(told.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run.toml"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--config"], "--config takes one file"),
        (["--config", "a", "--config", "b"], "--config takes one file"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
        (["--config", "."], "."),
    ],
)
def test_a_file_that_is_none(line, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "retrieval", *line]) == 2
    told = capsys.readouterr().err
    assert words in told and len(told.splitlines()) == 1


def test_yaml_without_its_library_and_yaml_that_is_none(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text("a: [")
    assert main(["train", "retrieval", "--config", "run.yaml"]) == 2
    assert "run.yaml cannot be read" in capsys.readouterr().err
    Path("run.yaml").write_text("- 1")
    assert main(["train", "retrieval", "--config", "run.yaml"]) == 2
    assert "is no table of options" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert main(["train", "retrieval", "--config", "run.yaml"]) == 2
    assert "pip install pyyaml" in capsys.readouterr().err
