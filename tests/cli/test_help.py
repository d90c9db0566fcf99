"""Help and slips: real defaults, plain types, one line for a slip, on terminals of any width as in a pipe."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from terminals import runner

from fastweights import tasks
from fastweights.cli.app import COMMANDS
from fastweights.cli.parsing import parse
from fastweights.cli.plot import Plot
from fastweights.errors import UserError
from fastweights.experiments import registry

NAMES = [*COMMANDS, *(f"train {name}" for name in registry.EXPERIMENTS)]


@pytest.fixture(params=[None, 80, 200])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    return runner(request.param, monkeypatch)


def test_a_slip_is_one_line_on_any_terminal(run) -> None:
    for words, said in {
        ("train", "retrieval", "--curriculm", "3"): "Unrecognized options: --curriculm, 3 (perhaps --curriculum?)",
        ("train", "retrieval", "--steps", "many"): "Error parsing --steps: invalid literal for int()",
        ("train", "catch", "--start", "left"): "invalid choice 'left'",
        ("plot", "--format"): "--format",
    }.items():  # fmt: skip
        ran = run(*words)
        assert ran.code == 2 and ran.raw.count("\n") == 1
        assert said in ran.text and not set("╭│╰─\x1b") & set(ran.raw)


def test_a_slip_keeps_a_long_word_whole(run) -> None:
    word = "a-folder-of-a-very-long-name" * 6
    assert word in run("warmup", word).text


@pytest.mark.parametrize("name", NAMES)
def test_help_has_plain_types_and_no_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = runner(80, monkeypatch)(*name.split(), "--help")
    text = " ".join(re.sub("[│╭╰─]", " ", ran.text).split())
    assert ran.code == 0 and "None" not in text and "tyro" not in text and "[[" not in text
    assert "(default:" not in text and "{True,False}" not in text
    for option in re.split(r"\n│ (?=--)", ran.text):
        assert option.count("[default: ") <= 1 or name == "test", option
    empty = re.findall(r"\n│ *│\n(?:│ --|╰)", ran.text)
    assert not empty
    if name.startswith("train"):
        assert text.count("[default: ") >= 20


def test_help_shows_the_defaults_of_the_chosen_model(monkeypatch: pytest.MonkeyPatch) -> None:
    run = runner(200, monkeypatch)

    def help_of(*words: str) -> str:
        return run("train", "retrieval", *words, "--help").text

    assert "Hidden units R. [default: 50]" in help_of()
    assert "Hidden units R. [default: 100]" in help_of("--pairs", "8")
    assert "the control without memory. [default: 0.5]" in help_of()
    assert "the control without memory. [default" not in help_of("--model", "lstm")
    assert "[default: 4 8 16 26]" in help_of("--pairs", "26")
    stories = run("train", "catbabi", "--help").text
    assert "values and keys. [default: 32]" in stories and "forms. [default: catbabi]" in stories
    assert "--pairs" in help_of("--model", "nothing")  # a slip is said when the command runs


def test_a_flag_that_denies_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        text = runner(200, monkeypatch)(*name.split(), "--help").text
        words = " ".join(text.replace("│", " ").split())  # a long name has its text below it
        for flag in re.findall(r"--no-.{40}", words):
            assert re.match(r"--no-[\w-]+ Do not ", flag), flag


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    run = runner(80, monkeypatch)
    assert "\x1b[" in run("warmup", "--help").raw
    monkeypatch.setenv("NO_COLOR", "1")
    for words in (["warmup", "--help"], ["train", "catch", "--help"], ["--help"], ["list"]):
        assert not re.search(r"\x1b\[[\d;]*3\d", run(*words).raw)
    assert "\x1b[" not in run("warmup", "--help").raw


@pytest.mark.parametrize("given", [("2,4",), ("2", "4"), ("2,", "4")])
def test_whole_numbers_by_commas_or_spaces(given: tuple[str, ...]) -> None:
    options = parse("x", registry.get("retrieval").options, ["--curriculum", *given])
    assert options.curriculum == (2, 4)
    assert parse("x", registry.get("retrieval").options, []).curriculum is None


@pytest.mark.parametrize(("word", "value"), [("False", False), ("false", False), ("true", True)])
def test_true_and_false_in_letters_of_any_size(word: str, value: bool) -> None:
    kind = registry.get("retrieval").options
    assert parse("x", kind, ["--layer-norm", word]).layer_norm is value
    with pytest.raises(UserError, match="neither true nor false"):
        parse("x", kind, ["--layer-norm", "perhaps"])


def test_lines_of_help_fit_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (80, 200):
        for name in NAMES:
            lines = runner(columns, monkeypatch)(*name.split(), "--help").text.splitlines()
            assert max(map(len, lines)) <= columns


def test_the_page_lists_the_tasks_of_the_registry() -> None:
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
    listed = re.findall(r"^fastweights train ([\w-]+)", page, re.MULTILINE)
    assert listed == list(registry.EXPERIMENTS) == list(tasks.names())


def test_a_name_means_one_thing_in_all_commands() -> None:
    helps: dict[str, dict[str, list[str]]] = {}
    for name, experiment in registry.EXPERIMENTS.items():
        for field in dataclasses.fields(experiment.options):
            helps.setdefault(field.name, {}).setdefault(str(field.type), []).append(name)
    assert list(helps["data"].values()) == [["text"]]
    assert len(helps["rate"]) == 1 and "learning_rate" in helps  # η; and the optimiser's
    assert "form" not in helps and "format" not in helps
    assert "format" in {field.name for field in dataclasses.fields(Plot)}
