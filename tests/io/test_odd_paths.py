"""Paths that can be none are told in one line wherever they stand; those that are merely odd work."""

import json
from pathlib import Path

import pytest

from fastweights.cli import main
from fastweights.errors import UserError
from fastweights.io.atomic import write_atomically
from fastweights.io.cache import expanded
from fastweights.io.encode import to_json
from fastweights.io.plain import open_plain
from fastweights.runs import Run

NONE = ["a\0b", "\ud800"]
RAW = "a\udc80b"
"""A name whose bytes are no UTF-8, as Python reads it from the system."""


@pytest.mark.parametrize("name", NONE)
def test_what_can_be_no_path_is_told(name, tmp_path):
    for call in (
        lambda: expanded(name),
        lambda: write_atomically(tmp_path / name, b""),
        lambda: Run.create(tmp_path / name, {}),
        lambda: Run.open(tmp_path / name),
    ):
        with pytest.raises(UserError):
            call()
    with pytest.raises(OSError, match="no path can hold such a character"):
        open_plain(tmp_path / name, "rb")


@pytest.mark.parametrize("name", NONE)
@pytest.mark.parametrize(
    "words",
    [
        ("test",),
        ("generate",),
        ("plot",),
        ("plot", ".", "--out"),
        ("train", "retrieval", "--out"),
        ("train", "retrieval", "--resume", "auto", "--out"),
        ("train", "text", "--data"),
        ("train", "catbabi", "--data-dir"),
        ("reproduce", "retrieval", "--list", "--recorded"),
        ("data", "get", "ptb", "--data-dir"),
        ("bench", "--out"),
    ],
)
def test_a_command_refuses_it_in_one_line(words, name, capsys):
    assert main([*words, name]) == 2
    err = capsys.readouterr().err
    assert err.startswith("fastweights: ") and err.count("\n") == 1 and "\0" not in err


def test_a_path_whose_bytes_are_no_text_is_recorded(tmp_path):
    assert json.loads(to_json({"out": RAW, "name": "naïve"})) == {"out": RAW, "name": "naïve"}
    run = Run.create(tmp_path / RAW, {"out": RAW})
    assert Run.open(run.folder).config["out"] == RAW


def test_a_text_is_written_as_it_is():
    assert to_json("naïve") == '"naïve"\n'.encode()


def test_a_loop_of_links_is_no_run(tmp_path: Path, capsys):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert main(["plot", str(tmp_path / "loop")]) == 2
    assert "is not a run folder" in capsys.readouterr().err
