"""Tiny catbAbI runs for the tests of commands: options, and how a command is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastweights.cli import main

SMALL = ("--hidden", "8", "--embedding", "6", "--steps", "3", "--length", "10", "--batch", "2")
TINY = (*SMALL, "--memory-size", "4")
"""A Fast Weight Memory that trains in a moment."""


def spoken(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    """Run a command with --json; stdout must be that one JSON value."""
    capsys.readouterr()
    assert main([*(str(word) for word in words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def trained(folder: Path, *words: object) -> Path:
    """Train a tiny run and return its folder."""
    given = [str(word) for word in (*words, "--out", folder)]
    assert main(["train", "catbabi", *given]) == 0
    return folder


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that must be refused; return the one line it says."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("drawing ")]
    assert out == "" and len(lines) == 1 and lines[0].startswith("fastweights: ")
    return lines[0]
