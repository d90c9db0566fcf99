"""Without the libraries of its extra the command line says in a line how to install them."""

from __future__ import annotations

import importlib.util

import pytest

import fastweights
from fastweights.cli import main

find_spec = importlib.util.find_spec


@pytest.mark.parametrize("lacking", ["tyro", "rich"])
@pytest.mark.parametrize("words", ["list", "--help", "train retrieval --out run", "nonsense"])
def test_a_library_of_the_command_line_that_is_missing_is_named(
    lacking: str, words: str, monkeypatch, capsys, tmp_path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == lacking else find_spec(name)
    )
    assert main(words.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    assert "pip install 'fastweights[cli]'" in shown.err
    assert list(tmp_path.iterdir()) == []


def test_the_version_needs_none_of_them(monkeypatch, capsys) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == fastweights.__version__
