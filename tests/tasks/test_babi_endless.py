"""Endless streams of made stories: what stands in a row depends on nothing but seed, row, epoch and place."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from fastweights.data import babi
from fastweights.errors import UserError
from fastweights.io.showing import shown_by
from fastweights.tasks import CatBAbI
from fastweights.tasks.babi import endless, files
from fastweights.tasks.babi.encoded import ALL_WORDS, Encoder
from fastweights.tasks.babi.endless import Endless
from fastweights.tasks.babi.story import Options, make
from fastweights.tasks.shuffle import mix, permute
from fastweights.tasks.stories import EOS

TASKS = (4, 16, 20)


@pytest.fixture
def few(monkeypatch):
    for split in babi.SPLITS:
        monkeypatch.setitem(files.RELEASED, split, dict.fromkeys(range(1, 21), 3))


def streams(rows: int = 2, **options: object) -> Endless:
    return Endless(ALL_WORDS, TASKS, Options(), rows, **{"seed": 5, **options})


@pytest.mark.usefixtures("few")
def test_rows_are_the_stories_of_their_places(monkeypatch):
    """Row, epoch and place pick task and number; an epoch has each task as often as the release."""
    monkeypatch.setattr(endless, "_AHEAD", 4)
    read = streams().next(1200)
    encoder, entries = Encoder(ALL_WORDS), np.repeat(TASKS, 3)
    for row in range(2):
        expected: list[int] = []
        for epoch in range(3):
            order = mix(5, row, epoch)
            places = np.arange(len(entries))
            tasks = entries[permute(places, len(entries), np.full(len(entries), order))]
            assert sorted(tasks) == sorted(entries)
            for task, number in zip(tasks.tolist(), mix(order, places).tolist(), strict=True):
                expected += encoder.encode(make(task, number, 5, "train", Options())).tolist()
        count = min(len(expected) - 1, 1200)
        assert read.tokens[row, :count].tolist() == expected[:count]
        assert read.targets[row, :count].tolist() == expected[1 : count + 1]
    assert read.mask.all()
    assert torch.equal(read.answers, read.tokens == ALL_WORDS.index("?"))
    starts = (read.tokens == EOS).cumsum(1)
    assert all(len(set(read.tasks[0][starts[0] == n].tolist())) == 1 for n in starts[0].unique())


@pytest.mark.usefixtures("few")
def test_rows_lengths_and_restarts_change_nothing():
    whole = streams(3).next(300)
    parts, stream = [], streams(3)
    for length in (1, 99, 7, 193):
        again = streams(3)
        again.restore(stream.state())
        parts.append(stream.next(length))
        assert all(map(torch.equal, parts[-1], again.next(length)))
    assert all(map(torch.equal, whole, (torch.cat(each, 1) for each in zip(*parts, strict=True))))
    assert torch.equal(streams(1, first_row=2).next(300).tokens[0], whole.tokens[2])
    with pytest.raises(UserError, match="the state is of 3 streams, these are 2"):
        streams(2).restore(stream.state())
    with pytest.raises(UserError, match="at least 1 token"):
        stream.next(0)


@pytest.mark.usefixtures("few", "own_cache")
def test_how_far_the_making_of_held_stories_is_shown():
    """To who asks for it, when they are made, not when they are taken from the cache."""
    seen: list[object] = []

    @contextmanager
    def bar(title: str, unit: str, count: int) -> Iterator[Callable[[int], None]]:
        seen.extend((title, unit, count))
        yield seen.append

    for _ in range(2):
        with shown_by(bar):
            CatBAbI(stories="generated", tasks=(4,))
    assert seen == ["validation and test stories", "stories", 6, 1, 2, 3, 4, 5, 6]


@pytest.mark.usefixtures("few")
def test_a_pool_is_all_that_ever_comes():
    """The stories of the numbers below it, in every row, each of them again and again."""
    seen = stories_of(streams(pools=dict.fromkeys(TASKS, 2)).next(3000).tokens)
    encoder = Encoder(ALL_WORDS)
    assert seen == {
        encoder.encode(make(task, number, 5, "train", Options())).astype(np.int64).tobytes()
        for task in TASKS
        for number in range(2)
    }


@pytest.mark.usefixtures("few")
def test_the_other_tasks_of_a_pool_of_some_never_end():
    some, none, every = (
        streams(pools=pools).next(2000).tokens
        for pools in ({TASKS[0]: 2}, None, dict.fromkeys(TASKS, 2))
    )
    assert not some.equal(none) and not some.equal(every)
    counts = [len(stories_of(read)) for read in (every, some, none)]
    assert counts == sorted(set(counts))


def stories_of(read) -> set[bytes]:
    eos, seen = ALL_WORDS.index("<eos>"), set()
    for row in read:
        starts = (row == eos).nonzero().squeeze(1).tolist()
        seen |= {row[a:b].numpy().tobytes() for a, b in itertools.pairwise(starts)}
    return seen


@pytest.mark.usefixtures("few", "own_cache")
def test_the_task():
    task = CatBAbI(stories="generated", tasks=TASKS, window=3, names="any")
    assert len(task.vocabulary) == 180 and task.made
    assert task.counts["test"].stories == 9 and "train" not in task.counts
    assert CatBAbI(**task.options).fingerprint == task.fingerprint
    assert task.fingerprint != CatBAbI(stories="generated", tasks=(4, 16)).fingerprint
    graded = CatBAbI(stories="generated", tasks=(1,), people=2, pool=9)
    assert "names release, window 5, people 2, pool 9" in graded.notes[0]
    assert CatBAbI(**graded.options).options == graded.options
    some = CatBAbI(stories="generated", tasks=TASKS, pool=9, pool_tasks=TASKS[:1])
    assert CatBAbI(**some.options).options == some.options
    parts = CatBAbI(stories="generated", tasks=TASKS, subquestions=True)
    assert CatBAbI(**parts.options).options == parts.options != some.options
    assert "subquestions True" in parts.notes[0]
    read = [
        each.streams(4).next(3000).tokens
        for each in (parts, CatBAbI(**parts.options | {"subquestions": False}))
    ]
    assert not read[0].equal(read[1])
    assert isinstance(task.streams(1), Endless)
    for options, said in (
        ({"stories": "generated", "rename": "all"}, "neither renamed"),
        ({"stories": "generated", "size": "1k"}, "nor of a size"),
        ({"names": "any"}, "are of generated stories"),
        ({"stories": "generated", "window": 0}, "window must be at least 1"),
        ({"stories": "generated", "pool": 0}, "pool must be at least 1, not 0"),
        ({"pool": 3}, "pool and pool_tasks are of generated stories"),
        ({"stories": "generated", "pool_tasks": (4,)}, "say its size too"),
        (
            {"stories": "generated", "tasks": (1,), "pool": 3, "pool_tasks": (4,)},
            "task 4 cannot be in a pool",
        ),
        ({"people": 3}, "are of generated stories"),
        ({"subquestions": True}, "are of generated stories"),
        ({"stories": "generated", "people": 5, "tasks": (1,)}, "2 to 4 people .names 'release'."),
        ({"stories": "made"}, "unknown choice of stories"),
    ):
        with pytest.raises(UserError, match=said):
            CatBAbI(**{"tasks": TASKS, **options})
    with pytest.raises(UserError, match="unknown split 'train'"):
        task.segments("train", 1, 10)
