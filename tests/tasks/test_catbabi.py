"""catbAbI from stories made here: vocabulary, counts, options, notes, what a person types, and slips."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch

from babi_made import make_release
from fastweights import tasks
from fastweights.errors import UserError
from fastweights.tasks import CatBAbI


def rewrite(release: Path, task: int, split: str, stories: str) -> None:
    (release / "en-valid-10k" / f"qa{task}_{split}.txt").write_text(stories)


ONE = "1 Mary went to the office.\n2 Where is Mary? \toffice\t1\n"
TWO = "1 John moved to the garden.\n2 Mary moved to the office.\n3 Where is John? \tgarden\t1\n"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    release = make_release(tmp_path, 2, tasks=(1,))
    for split, text in (("train", ONE + TWO + ONE), ("valid", TWO + ONE), ("test", ONE + TWO)):
        rewrite(release, 1, split, text)
    return release


def test_vocabulary_and_counts_are_as_by_hand(tiny):
    task = CatBAbI(tiny, tasks=(1,))
    words = sorted(
        {
            *[
                ".",
                "?",
                "mary",
                "went",
                "to",
                "the",
                "office",
                "where",
                "is",
                "john",
                "moved",
                "garden",
            ]
        }
    )
    assert task.vocabulary == ("<pad>", "<eos>", *words)
    assert task.classes == len(task.vocabulary) == len(words) + 2
    assert task.counts == {"train": (2, 2, 28), "valid": (1, 1, 17), "test": (1, 1, 11)}
    every = CatBAbI(tiny, tasks=(1,), stories="all")
    assert every.counts == {"train": (3, 3, 39), "valid": (2, 2, 28), "test": (2, 2, 28)}


def test_the_words_of_a_story(tiny):
    task = CatBAbI(tiny, tasks=(1,))
    (segment,) = task.segments("test", 1, 100)
    said = "mary went to the office . where is mary ? office"
    assert task.decode(segment.tokens[0]) == f"<eos> {said}"
    assert task.decode(segment.targets[0]) == f"{said} <eos>"
    assert segment.answers[0].nonzero().tolist() == [[10]]
    assert (segment.tasks == 1).all()


def test_options_rebuild_the_task(release):
    given = {"tasks": [3, 16], "stories": "all", "rename": [16], "repeats": {16: 2}}
    task = CatBAbI(release, **given)
    kept = json.loads(json.dumps(task.options))
    again = tasks.build("catbabi", data_dir=release, **kept)
    assert again.options == task.options and again.fingerprint == task.fingerprint
    assert torch.equal(again.streams(2).next(500).tokens, task.streams(2).next(500).tokens)
    assert repr(task) == (
        "CatBAbI(size='10k', tasks=[3, 16], stories='all', rename=[16], repeats={'16': 2})"
    )


def test_fingerprint_tells_data_and_vocabularies_apart(release, tmp_path):
    one = CatBAbI(release)
    assert one.fingerprint == CatBAbI(release, rename="all", repeats={4: 2}).fingerprint
    others = [
        CatBAbI(release, tasks=(1, 2)),
        CatBAbI(release, stories="all"),
        CatBAbI(make_release(tmp_path, 8, seed=1)),
    ]
    assert len({one.fingerprint, *(task.fingerprint for task in others)}) == 4


def test_the_order_of_evaluation_stays_when_tasks_are_left_out(release):
    def order(task: CatBAbI) -> list[str]:
        (segment,) = task.segments("test", 1, 10**6)
        chosen = segment.targets[0][(segment.tasks[0] == 2) | (segment.tasks[0] == 5)]
        return task.decode(chosen).split("<eos>")

    assert order(CatBAbI(release)) == order(CatBAbI(release, tasks=(2, 5)))


def test_the_second_time_stories_come_from_the_cache(release, monkeypatch):
    first = CatBAbI(release, tasks=(7, 9))
    with monkeypatch.context() as patch:
        patch.setattr("fastweights.data.babi.read", None)
        assert CatBAbI(release, tasks=(9, 7)).fingerprint == first.fingerprint
        with pytest.raises(TypeError):
            CatBAbI(release, tasks=(7,))


def no_home(path: Path) -> Path:
    if str(path).startswith("~"):
        raise RuntimeError("Could not determine home directory.")
    return path


def test_a_cache_that_is_damaged_or_cannot_be_written_is_done_without(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    expected = CatBAbI(tiny, tasks=(1,)).fingerprint
    (kept,) = (tmp_path / "own" / "fastweights" / "made").iterdir()
    whole = kept.read_bytes()
    flipped = (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in (40, 400, -9))
    for content in (b"", whole[:-9], b"\xff" * 100, *flipped):
        kept.write_bytes(content)
        assert CatBAbI(tiny, tasks=(1,)).fingerprint == expected
    monkeypatch.setenv("XDG_CACHE_HOME", str(tiny / "en-valid-10k" / "qa1_test.txt"))
    assert CatBAbI(tiny, tasks=(1,)).fingerprint == expected
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "")
    monkeypatch.setattr(Path, "expanduser", no_home)
    assert CatBAbI(tiny, tasks=(1,)).fingerprint == expected


def test_a_changed_file_is_read_anew(tiny):
    before = CatBAbI(tiny, tasks=(1,))
    rewrite(tiny, 1, "test", TWO + ONE)
    assert CatBAbI(tiny, tasks=(1,)).fingerprint != before.fingerprint


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    """A release whose task 3 has its train stories only in part, beside it."""
    release = make_release(tmp_path, 6, tasks=(3, 4))
    whole = release / "en-valid-10k" / "qa3_train.txt"
    part = tmp_path / "en-valid-10k_qa3_train_first185of1800.txt.gz"
    part.write_bytes(gzip.compress(whole.read_bytes()))
    whole.unlink()
    return release


def test_renamed_copies_stand_in_for_missing_stories(partial):
    task = CatBAbI(partial, tasks=(3, 4))
    assert task.missing == {3: 1799 - 6}
    assert task.counts["train"].stories == 1799 + 5
    (note,) = [note for note in task.notes if "task 3" in note]
    assert "6 of 1799" in note and "renamed copies" in note
    words = task.counts["train"].tokens + task.counts["train"].stories
    row = task.streams(1).next(words + 1).tokens[0]
    found = [story.strip() for story in task.decode(row).split("<eos>")[1:-1]]
    assert len(found) == 1799 + 5
    (segment,) = task.segments("train", 1, 10**6)
    real = {story.strip() for story in task.decode(segment.targets[0]).split("<eos>")[:-1]}
    assert len(real) == 11
    assert real <= set(found)
    assert len(set(found)) > 1000


def test_copies_can_be_left_out(partial):
    task = CatBAbI(partial, tasks=(3, 4), rename="none")
    assert task.counts["train"].stories == 11 and task.missing == {3: 1793}
    assert any("no copies" in note for note in task.notes)
    assert CatBAbI(partial, tasks=(3,), stories="all").missing == {3: 1794}


def test_notes_say_what_the_record_must(release):
    notes = CatBAbI(release, tasks=range(2, 21), rename=(16,), repeats={19: 2}).notes
    for said in ("not the published release", "left out: 1", "every draw: tasks 16", "task 19"):
        assert any(said in note for note in notes), said


def test_typed_stories(catbabi):
    words = "<eos> mary went to the kitchen . where is mary ?"
    for text in (
        "Mary went to the kitchen. Where is Mary?",
        "mary went to\n the kitchen . where is MARY ?",
    ):
        assert catbabi.decode(catbabi.encode(text)) == words
    answered = "Mary went to the kitchen. Where is Mary? Kitchen. John moved to the office."
    assert catbabi.decode(catbabi.encode(answered)) == f"{words} kitchen john moved to the office ."
    path = next(word for word in catbabi.vocabulary if "," in word and word[0] in "nesw")
    typed = f"How do you go from the office to the kitchen? {path.replace(',', ' , ').upper()}."
    assert catbabi.decode(catbabi.encode(typed)).endswith(f"? {path}")


def test_decode_gives_back_what_a_stream_holds(catbabi):
    tokens = catbabi.streams(1).next(300).tokens[0]
    said = catbabi.decode(tokens).split()
    assert [catbabi.vocabulary.index(word) for word in said] == tokens.tolist()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Mary went to the kitchn. Where is Mary?", "'kitchn'.*nearest is 'kitchen'"),
        ("Mary went to the kitchen.", "asks nothing"),
        ("", "asks nothing"),
        ("<eos> Where is Mary?", "'<eos>'"),
    ],
)
def test_slips_in_typed_stories(catbabi, text, complaint):
    with pytest.raises(UserError, match=complaint):
        catbabi.encode(text)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"tasks": ()}, "no tasks"),
        ({"tasks": (0,)}, "1 to 20, not 0"),
        ({"size": "100k"}, "did you mean '10k'"),
        ({"stories": "publised"}, "did you mean 'published'"),
        ({"rename": "al"}, "did you mean 'all'"),
        ({"rename": (3,), "tasks": (1, 2)}, "task 3 cannot be renamed"),
        ({"rename": ()}, "no tasks"),
        ({"repeats": {4: 0}}, "at least once"),
        ({"repeats": {4: 2}, "tasks": (1,)}, "task 4 cannot be repeated"),
        ({"size": "1k"}, "en-valid: is it bAbI v1.2"),
    ],
)
def test_slips_in_options(release, options, complaint):
    with pytest.raises(UserError, match=complaint):
        CatBAbI(release, **options)


def test_stories_that_are_too_few_or_ask_nothing(tiny):
    rewrite(tiny, 1, "valid", ONE)
    with pytest.raises(UserError, match="no story of valid is left"):
        CatBAbI(tiny, tasks=(1,))
    for split in ("train", "valid", "test"):
        rewrite(tiny, 1, split, "1 Mary went to the office.\n" * 2)
    with pytest.raises(UserError, match="ask nothing"):
        CatBAbI(tiny, tasks=(1,))


def test_tokens_that_are_none(catbabi):
    with pytest.raises(UserError, match="tokens are 0 to"):
        catbabi.decode(torch.tensor([catbabi.classes]))
