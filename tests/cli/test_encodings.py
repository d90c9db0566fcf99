"""Standard output that is not UTF-8: everything is printed, in ASCII where it must be, and JSON stays JSON."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fastweights.cli import main
from fastweights.cli.console import print_table
from fastweights.cli.encoding import SUBSTITUTES, as_typed, never_failing

ENCODINGS = ("ascii", "latin-1", "cp1252")
SMALL = ["--model", "lstm", "--hidden", "8", "--embedding", "8", "--epochs", "1"]


def written(monkeypatch: pytest.MonkeyPatch, encoding: str, *words: str) -> str:
    """Run a command with a stdout of that encoding and return what stands in it."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    try:
        assert main(words) == 0
    except SystemExit as stop:  # help
        assert not stop.code
        stream.flush()
    assert stream.errors == "strict", "main gives the stream back as it was"
    return stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "words", [("--help",), ("list",), ("train", "retrieval", "--help"), ("test", "--help")]
)
def test_tables_and_help(
    words: tuple[str, ...], encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = written(monkeypatch, encoding, *words)
    assert "\\u" not in shown and len(shown.splitlines()) > 5


def test_rows_of_a_table_are_of_one_width(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    with never_failing():
        print_table("t", ("a", "b"), [("→ … ≤", "1"), ("plain", "2"), ("naïve", "3")])
    stream.flush()
    lines = stream.buffer.getvalue().decode().splitlines()  # type: ignore[attr-defined]
    assert len({len(line) for line in lines if line.strip()}) == 1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    text = folder / "mine.txt"
    text.write_text("the naïve reader reads → the naïve book\n" * 60, encoding="utf-8")
    words = ["train", "text", "--data", str(text), *SMALL, "--out", str(folder / "run"), "--json"]
    assert main(words) == 0
    return folder / "run"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_users_own_words(encoding: str, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = json.loads(written(monkeypatch, encoding, "test", str(run), "the naïve →", "--json"))
    assert said[0]["text"] == "the naïve →"
    assert "reader" in written(
        monkeypatch, encoding, "generate", str(run), "naïve", "--words", "40"
    )
    assert "na" in written(monkeypatch, encoding, "test", str(run), "the naïve → reader")


def test_what_utf8_cannot_encode_either(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stdout", stream)
    with never_failing():
        print("a\udcffb")
    stream.flush()
    assert stream.buffer.getvalue().decode() == "a\\udcffb\n"  # type: ignore[attr-defined]


def test_words_of_a_locale_that_knows_only_ascii() -> None:
    assert as_typed("naïve".encode().decode("ascii", "surrogateescape")) == "naïve"
    assert as_typed("\udcff") == "\udcff"  # no UTF-8 at all


def test_substitutes_are_ascii() -> None:
    assert all(text.isascii() for text in SUBSTITUTES.values())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize(
    ("redirected", "code"),
    [
        (">&-", 0),
        ("2>&-", 0),
        (">&- 2>&- <&-", 0),
        (">/dev/full", 2),
        (">/dev/full 2>/dev/full", 2),
    ],
)
def test_closed_and_full_streams(redirected: str, code: int) -> None:
    command = f"{sys.executable} -m fastweights train --help {redirected}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=100)
    assert done.returncode == code and "Traceback" not in done.stderr
    assert done.stderr.count("\n") == (redirected == ">/dev/full")
