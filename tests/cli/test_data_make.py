"""`data make babi`: files in the release's form, the same to the bit however they are made, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from fastweights.cli import main
from fastweights.data import babi, babi_files
from fastweights.errors import UserError
from fastweights.tasks.babi import files, story

pytestmark = pytest.mark.usefixtures("unsynced")


def made(out: Path, capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    capsys.readouterr()
    assert main([*map(str, ("data", "make", "babi", "--out", out, *words)), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_reader_reads_what_was_made(tmp_path, capsys):
    said = made(tmp_path / "new" / "made", capsys, "--stories", 3, "--tasks", 4, 18, "--seed", 7)
    assert said["stories"] == {"train": 6, "valid": 6, "test": 6}
    folder = tmp_path / "new" / "made"
    release = babi.read(babi_files.find(folder), "10k", [4, 18])
    assert not release.published and not release.partial
    for split, by_task in release.stories.items():
        for task, stories in by_task.items():
            assert stories == tuple(story(task, n, seed=7, split=split).words() for n in range(3))
    asked = sum(
        text.count("?") for by in release.stories.values() for each in by.values() for text in each
    )
    assert asked == sum(said["questions"].values())
    pairs = made(tmp_path / "two", capsys, "--stories", 1, "--tasks", 1, "--people", 2)
    assert "--stories 1 --seed 0 --tasks 1 --names release --window 5 --people 2" in (
        (tmp_path / "two" / "README.txt").read_text()
    )
    assert (
        pairs["checksum"]
        != made(tmp_path / "four", capsys, "--stories", 1, "--tasks", 1)["checksum"]
    )
    assert "--stories 3 --seed 7 --tasks 4 18" in (folder / "README.txt").read_text()


def test_the_same_to_the_bit_in_chunks_of_any_size(tmp_path, monkeypatch, capsys):
    whole = made(tmp_path / "a", capsys, "--stories", 4, "--tasks", 1, 20)
    monkeypatch.setattr(files, "_CHUNK", 3)
    assert made(tmp_path / "b", capsys, "--stories", 4, "--tasks", 20, 1) == {
        **whole,
        "path": str(tmp_path / "b"),
    }
    texts = [path.read_bytes() for path in sorted((tmp_path / "a" / "en-valid-10k").iterdir())]
    assert texts == [
        path.read_bytes() for path in sorted((tmp_path / "b" / "en-valid-10k").iterdir())
    ]
    assert whole["checksum"] != hashlib.sha256(b"").hexdigest()


@pytest.mark.slow
def test_the_same_to_the_bit_in_two_processes(tmp_path):
    one, two = (files.write(tmp_path / str(n), stories=2, tasks=[4], jobs=n) for n in (1, 2))
    assert one.checksum == two.checksum


def test_as_many_stories_as_the_release():
    """The release's counts, of which catbAbI's published ones lack the last of each of the 20 files."""
    sums = {split: sum(by.values()) for split, by in files.counts(None, babi.ALL_TASKS).items()}
    assert sums == {"train": 56396, "valid": 6265, "test": 6267}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tasks", "21"], "tasks are 1 to 20, not 21"),
        (["--tasks"], "no tasks are named"),
        (["--stories", "0"], "stories must be at least 1, not 0"),
        (["--window", "0"], "window must be at least 1, not 0"),
        (["--questions", "0"], "questions must be at least 1, not 0"),
        (["--jobs", "0"], "jobs must be at least 1, not 0"),
        (["--seed", "-1"], "seed must not be negative"),
        (["--names", "all"], "--names"),
        (["mnist"], "unknown data set 'mnist'; accepted: babi"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_refusals(tmp_path, capsys, words, said):
    assert main(["data", "make", *words, "--out", str(tmp_path / "made")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_stays(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "release" / "en-valid-10k").mkdir(parents=True)
    for out, said in (
        (tmp_path, "exists already"),
        (tmp_path / "file", "exists already"),
        (tmp_path / "file" / "below", "cannot write"),
        (tmp_path / "release", "holds a release already"),
    ):
        with pytest.raises(UserError, match=said):
            files.write(out, stories=1, tasks=[4])
    (tmp_path / "empty").mkdir()
    assert files.write(tmp_path / "empty", stories=1, tasks=[4]).stories["test"] == 1


def test_interrupted_it_leaves_nothing(tmp_path):
    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "made", stories=2, tasks=[4], progress=interrupt)
    assert not list(tmp_path.iterdir())
