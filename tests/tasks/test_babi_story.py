"""A made story is a function of seed, split, task and number; its text is the release's; splits share no story."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweights.data import babi
from fastweights.errors import UserError
from fastweights.tasks.babi import split_of, story
from fastweights.tasks.babi.draws import Draws
from fastweights.tasks.babi.words import HELD_OUT, NAMED, VOCABULARY

TASKS = st.sampled_from(babi.ALL_TASKS)
NUMBERS = st.integers(0, 2**63 - 1)
NAMES = st.sampled_from(("release", "any", "held-out"))


@pytest.mark.parametrize(
    ("names", "checksum"),
    [
        ("release", "d4efacf1da5f8379"),
        ("any", "141daccd41a2ac9b"),
        ("held-out", "587fbf03f4c0f637"),
    ],
)
def test_stories_are_the_same_to_the_bit_everywhere(names, checksum):
    made = (
        story(task, number, seed=seed, split=split, names=names).text()
        for task in babi.ALL_TASKS
        for split, seed, number in (("train", -1, 2**62), ("test", 0, 0))
    )
    assert hashlib.sha256("".join(made).encode()).hexdigest()[:16] == checksum


@given(TASKS, NUMBERS, st.integers(), st.sampled_from(babi.SPLITS), NAMES)
def test_text_is_the_release_s(task, number, seed, split, names):
    """The reader of the release takes it, words and facts are in order, and nothing is outside the 178 words."""
    made = story(task, number, seed=seed, split=split, names=names)
    assert babi.parse(made.text().encode(), "made") == (made.words(),)
    assert set(made.words().split()) <= set(VOCABULARY)
    asked = [at for at, line in enumerate(made.lines, start=1) if line.answer is not None]
    assert asked[-1] == len(made.lines)
    for at in asked:
        supports = made.lines[at - 1].supports
        assert supports and len(supports) == len(set(supports))
        assert all(0 < fact < at and fact not in asked for fact in supports)
    assert split_of(task, (line.words for line in made.lines if not line.answer)) == split


def test_there_are_178_words():
    assert len(VOCABULARY) == 178
    assert list(VOCABULARY) == sorted(set(VOCABULARY))


@given(TASKS, st.integers(1, 12), st.sampled_from([1, 2, 10, None]))
def test_lengths(task, questions, window):
    """So many questions, but where the rules fix their number; a question more goes on with the same story."""
    made = story(task, 5, questions=questions, window=window)
    asked = sum(line.answer is not None for line in made.lines)
    if task in (4, 16, 19):
        assert asked == 1
    elif task != 20:
        assert asked == questions


def test_the_window_is_how_far_a_question_looks_back():
    """Task 1, where each sentence is a clause: in the narrowest window the last sentence is asked about."""
    for number in range(20):
        lines = story(1, number, window=1).lines
        assert all(
            a.supports == (at,)
            for at, (_, a) in enumerate(itertools.pairwise(lines), 1)
            if a.answer
        )
    whole = [story(1, n, window=None, questions=20).lines for n in range(20)]
    back = [
        at - line.supports[0] for lines in whole for at, line in enumerate(lines, 1) if line.answer
    ]
    assert max(back) > 10


@pytest.mark.parametrize("task", [4, 17])
def test_splits_share_no_story_whatever_the_seeds(task):
    """Task 4 has 7,680 stories in all, so that seeds alone would not keep its splits apart."""
    told = {
        split: {
            " ".join(
                line.words
                for line in story(task, n, seed=seed, split=split, questions=1).lines
                if not line.answer
            )
            for n in range(50)
        }
        for seed, split in enumerate(babi.SPLITS)
    }
    assert not any(a & b for a, b in itertools.combinations(told.values(), 2))


@given(st.sampled_from(NAMED), NUMBERS)
def test_held_out_names_stand_in_test_stories_alone(task, number):
    def used(split: str) -> set[str]:
        return set(story(task, number, split=split, names="held-out").words().split())

    assert not used("train") & HELD_OUT and not used("valid") & HELD_OUT
    assert used("test") & HELD_OUT


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"task": 21}, "tasks are 1 to 20, not 21"),
        ({"number": -1}, "number must be at least 0, not -1"),
        ({"split": "dev"}, "unknown split 'dev'"),
        ({"names": "all"}, "unknown choice of names 'all'; accepted"),
        ({"window": 0}, "window must be at least 1, not 0"),
        ({"questions": 0}, "questions must be at least 1, not 0"),
        ({"people": 5}, "task 1 has names for 2 to 4 people (names 'release'), not for 5"),
        ({"people": 22, "names": "any"}, "2 to 21 people"),
        ({"people": 16, "names": "held-out"}, "2 to 15 people"),
        ({"people": 1}, "not for 1"),
        ({"task": 8, "things": 4, "names": "any"}, "1 to 3 things"),
        ({"subquestions": True}, "subquestions are of task 16"),
    ],
)
def test_refusals(given, said):
    with pytest.raises(UserError) as refused:
        story(**{"task": 1, "number": 0, **given})
    assert said in str(refused.value) and "\n" not in str(refused.value)


@given(st.lists(st.integers(), max_size=4), st.integers(1, 40))
def test_draws(key, count):
    draw, again = Draws(*key), Draws(*key)
    many = [draw.below(count) for _ in range(700)]
    assert many == [again.below(count) for _ in range(700)]
    assert set(many) <= set(range(count)) and (count > 20 or len(set(many)) == count)
    things = tuple(range(count))
    assert sorted(draw.order(things)) == list(things)
    assert len(set(draw.sample(things, count // 2))) == count // 2
    assert draw.weighted((0, 3, 0)) == 1


def test_who_is_asked_about_changes_the_colour_of_his_kind_too():
    """As in the release, where 67 of 11,000 stories have another colour told last than the answer, all of them so."""
    other = 0
    for number in range(2000):
        *told, asked = (line.words.split() for line in story(16, number).lines)
        kinds = {words[0]: words[3] for words in told if words[2] == "a"}
        said = [words for words in told if words[2] != "a" and kinds[words[0]] == kinds[asked[3]]]
        if said[-1][2] == story(16, number).lines[-1].answer:
            continue
        other += 1
        assert told.index([asked[3], "is", "a", kinds[asked[3]], "."]) < told.index(said[-1])
    assert 2 <= other <= 30
