"""Texts as sequences of tokens: splits, vocabularies, options, and slips."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from fastweights import tasks
from fastweights.errors import UserError
from fastweights.tasks import Text
from text_made import make_text

TRAIN = " the cat sat \n\n a cat <unk> it\r\nthe dog"


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    paths = []
    for split, text in (("train", TRAIN), ("valid", "a dog ran\n"), ("test", "the bird\nsat\n")):
        paths.append(str(tmp_path / f"{split}.txt"))
        Path(paths[-1]).write_text(text, newline="")
    return paths


def test_it_is_as_by_hand(tiny):
    task = Text(tiny)
    known = ("the", "cat", "sat", "<eos>", "a", "<unk>", "it", "dog")
    assert task.vocabulary == known and task.classes == 8
    assert (task.end, task.unknown) == (3, 5)
    assert task.split("train").tolist() == [0, 1, 2, 3, 3, 4, 1, 5, 6, 3, 0, 7, 3]
    assert task.split("valid").tolist() == [4, 7, 5, 3]
    assert task.split("test").tolist() == [0, 5, 3, 2, 3]
    assert task.counts == task.words == {"train": 13, "valid": 4, "test": 5}
    assert task.split("train").dtype == torch.int64
    assert task.tokenizer.decode(task.split("train")) == "the cat sat\n\na cat <unk> it\nthe dog\n"
    assert task.notes == [
        "words: train 13, valid 4, test 5",
        "20.0% of the test words stand as <unk>",
    ]


def test_the_most_frequent_words_are_kept_in_their_order(tiny):
    task = Text(tiny, vocabulary_size=4)
    assert task.vocabulary == ("the", "cat", "<eos>", "<unk>")
    assert task.split("test").tolist() == [0, 3, 2, 3, 2]


def test_unk_is_there_even_where_the_text_has_none(tmp_path):
    (tmp_path / "it").write_text("a b\n" * 3)
    task = Text(str(tmp_path / "it"))
    assert task.vocabulary == ("a", "b", "<eos>", "<unk>") and task.unknown == 3


def test_one_file_is_cut_by_its_lines(tmp_path):
    whole = tmp_path / "whole.txt"
    whole.write_text("".join(f"{i}\n" for i in range(100)))
    task = Text((str(whole),))
    said = {split: task.tokenizer.decode(task.split(split)) for split in ("train", "valid", "test")}
    assert task.counts == {"train": 180, "valid": 10, "test": 10}
    assert said["train"] == "".join(f"{i}\n" for i in range(90))
    assert said["valid"] == said["test"] == "<unk>\n" * 5


def test_options_rebuild_the_task(text_files, monkeypatch, tmp_path):
    monkeypatch.chdir(Path(text_files[0]).parent)
    task = Text(["train.txt", "valid.txt", "test.txt"], vocabulary_size=20)
    monkeypatch.chdir(tmp_path)
    again = tasks.build("text", **json.loads(json.dumps(task.options)))
    assert again.options == task.options and again.fingerprint == task.fingerprint
    assert repr(task).startswith("Text(data=['") and "vocabulary_size=20" in repr(task)


def test_fingerprint_tells_texts_and_vocabularies_apart(text_files, tmp_path):
    train, valid, test = text_files
    others = [
        Text(text_files),
        Text(text_files, vocabulary_size=20),
        Text((train, test, valid)),
        Text(make_text(tmp_path / "other", seed=1)),
        Text(valid),
    ]
    assert len({task.fingerprint for task in others}) == 5
    assert Text(text_files).fingerprint == others[0].fingerprint


def test_the_fingerprints_of_recorded_runs_never_change(tiny):
    task = Text(tiny)
    parts = [task.split(name).numpy().astype("<i4").tobytes() for name in task.counts]
    whole = hashlib.sha256("\n".join(task.vocabulary).encode() + b"".join(parts)).hexdigest()
    assert whole.startswith(task.fingerprint) and len(task.fingerprint) == 16


@pytest.mark.parametrize(
    ("data", "options", "complaint"),
    [
        ((), {}, "one file, or three files, not 0"),
        (("a", "b"), {}, "not 2 names"),
        (("ptbb",), {}, r"no such text: .*ptbb \(a file, or one of ptb, wikitext-2\)"),
        (None, {"tokenizer": "word"}, "did you mean 'words'"),
        (None, {"vocabulary_size": 2}, "2 words is too small"),
    ],
)
def test_slips_in_options(text_files, data, options, complaint):
    with pytest.raises(UserError, match=complaint):
        Text(text_files if data is None else data, **options)
    with pytest.raises(UserError, match="did you mean 'valid'"):
        Text(text_files).split("vaild")


def test_texts_with_nothing_in_them(tiny, tmp_path):
    Path(tiny[1]).write_text(" \n\n")
    with pytest.raises(UserError, match=r"valid\.txt is empty"):
        Text(tiny)
    one = tmp_path / "one.txt"
    one.write_text("\n hello \n\n\n")
    with pytest.raises(UserError, match=r"one\.txt has no words for valid"):
        Text(str(one))
    one.write_text("hello\n")
    with pytest.raises(UserError, match="1 line cannot be cut"):
        Text(str(one))
    with pytest.raises(UserError, match="the one word 'hello'"):
        Text((str(one), tiny[0], tiny[2]))
