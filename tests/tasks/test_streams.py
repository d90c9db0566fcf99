"""Streams: every story once an epoch in every row, the same however they are cut, and nothing else to resume from."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastweights.errors import UserError
from fastweights.tasks import CatBAbI, Segment

EOS = 1


def stories_of(task: CatBAbI, tokens: torch.Tensor) -> list[str]:
    """Cut a row's tokens into the stories that are whole in it; the row begins with <eos>."""
    return [story.strip() for story in task.decode(tokens).split("<eos>")[1:-1]]


def own_stories(task: CatBAbI, split: str) -> Counter[str]:
    """Read a split's stories off its only row."""
    row = torch.cat([segment.targets[0] for segment in task.segments(split, 1, 10**6)])
    return Counter(story.strip() for story in task.decode(row).split("<eos>")[:-1])


def join(segments: list[Segment]) -> Segment:
    return Segment(*(torch.cat(parts, 1) for parts in zip(*segments, strict=True)))


def same(one: Segment, other: Segment) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def few(release) -> CatBAbI:
    """Stories for an epoch of about 400 tokens, renamed at every draw."""
    return CatBAbI(release, tasks=(4, 19), rename="all")


@given(lengths=st.lists(st.integers(1, 300), min_size=1, max_size=8), rows=st.integers(1, 4))
def test_split_anywhere(few, lengths, rows):
    whole = few.streams(rows, seed=5).next(sum(lengths))
    pieces = few.streams(rows, seed=5)
    assert same(whole, join([pieces.next(length) for length in lengths]))


@pytest.mark.parametrize("rename", ["missing", "all"])
def test_targets_are_the_next_tokens_and_answers_follow_questions(release, rename):
    task = CatBAbI(release, rename=rename)
    segment = task.streams(3, seed=1).next(4000)
    assert torch.equal(segment.tokens[:, 1:], segment.targets[:, :-1])
    assert (segment.tokens[:, 0] == EOS).all()
    assert torch.equal(segment.answers, segment.tokens == task.vocabulary.index("?"))
    assert segment.mask.all()
    ends = segment.targets[:, :-1] == EOS
    changes = segment.tasks[:, 1:] != segment.tasks[:, :-1]
    assert not (changes & ~ends).any() and changes.any()
    assert set(segment.tasks.unique().tolist()) <= set(task.tasks)


def test_every_story_comes_once_in_each_epoch_of_each_row(catbabi):
    per_epoch = catbabi.counts["train"].stories
    words = catbabi.counts["train"].tokens + per_epoch
    segment = catbabi.streams(3, seed=2).next(2 * words + 1)
    expected = own_stories(catbabi, "train")
    orders = set()
    for row in segment.tokens:
        found = stories_of(catbabi, row)
        assert len(found) == 2 * per_epoch
        for epoch in (found[:per_epoch], found[per_epoch:]):
            assert Counter(epoch) == expected
            orders.add(tuple(epoch))
    assert len(orders) == 6


def test_repeats_come_as_often_as_asked(release):
    task = CatBAbI(release, tasks=(4, 19), repeats={19: 3})
    once = own_stories(task, "train")
    nineteen = own_stories(CatBAbI(release, tasks=(19,)), "train")
    words = sum(
        times * (len(story.split()) + 1) for story, times in (once + nineteen + nineteen).items()
    )
    row = task.streams(1).next(words + 1).tokens[0]
    found = Counter(stories_of(task, row))
    assert found == once + nineteen + nineteen
    assert task.counts["train"].stories == sum(once.values())


@pytest.mark.parametrize("rename", ["missing", "all"])
def test_rows_do_not_depend_on_each_other(release, rename):
    task = CatBAbI(release, rename=rename)
    whole = task.streams(5, seed=3).next(700)
    first, rest = task.streams(2, seed=3), task.streams(3, seed=3, first_row=2)
    halves = [
        Segment(*map(torch.cat, zip(first.next(n), rest.next(n), strict=True))) for n in (300, 400)
    ]
    assert same(whole, join(halves))
    assert len({tuple(row.tolist()) for row in whole.tokens}) == 5
    assert not torch.equal(whole.tokens, task.streams(5, seed=4).next(700).tokens)


@given(before=st.integers(1, 3000), after=st.integers(1, 500))
def test_resume(few, before, after):
    streams = few.streams(2, seed=7)
    streams.next(before)
    state = streams.state()
    other = few.streams(2, seed=7)
    other.next(11)
    other.restore(state)
    assert same(streams.next(after), other.next(after))
    assert sum(tensor.numel() for tensor in state.values()) == 6


def test_a_state_and_its_streams_go_their_own_ways(few):
    streams, other = few.streams(2), few.streams(2)
    streams.next(777)
    state = streams.state()
    kept = {name: tensor.clone() for name, tensor in state.items()}
    other.restore(state)
    for tensor in (*state.values(), *streams.state().values()):
        tensor.fill_(1)
    again = few.streams(2)
    again.restore(kept)
    expected = again.next(100)
    assert same(streams.next(100), expected) and same(other.next(100), expected)
    assert not torch.equal(again.state()["offset"], kept["offset"])


@pytest.mark.parametrize("rename", ["all", (2, 16)])
def test_renaming_changes_stories_of_these_tasks_alone(release, rename):
    plain, renamed = CatBAbI(release), CatBAbI(release, rename=rename)
    one, other = (task.streams(1, seed=1).next(20_000) for task in (plain, renamed))
    assert torch.equal(one.tasks, other.tasks) and torch.equal(one.answers, other.answers)
    changed = set(one.tasks[one.tokens != other.tokens].tolist())
    assert changed == set(renamed.tasks if rename == "all" else rename)


def test_a_story_is_renamed_anew_in_each_epoch_and_row(few):
    per_epoch, epochs = few.counts["train"].stories, 40
    words = few.counts["train"].tokens + per_epoch
    told = [stories_of(few, row) for row in few.streams(2).next(epochs * words + 1).tokens]
    assert [len(stories) for stories in told] == [epochs * per_epoch] * 2
    # Each of the 14 stories comes 80 times, in one of 30 to 360 forms (of 2 or of 4 rooms).
    assert len({story for stories in told for story in stories}) > 14 * 25


@given(
    rows=st.integers(1, 40), length=st.integers(1, 300), split=st.sampled_from(["valid", "test"])
)
def test_segments_cover_every_token_once_in_order(catbabi, rows, length, split):
    whole = join(catbabi.segments(split, 1, 10**6))
    assert whole.mask.all()
    assert torch.equal(whole.tokens[:, 1:], whole.targets[:, :-1])
    cut = catbabi.segments(split, rows, length)
    assert {segment.tokens.shape[1] for segment in cut[:-1]} <= {length}
    joined = join(cut)
    for whole_part, part in zip(whole, joined, strict=True):
        assert torch.equal(part[joined.mask], whole_part[0])
    assert not joined.tokens[~joined.mask].any() and not joined.targets[~joined.mask].any()
    assert not joined.answers[~joined.mask].any()
    lengths = joined.mask.sum(1)
    assert torch.equal(joined.mask, torch.arange(joined.mask.shape[1]) < lengths[:, None])
    assert (joined.tokens[:, 0][lengths > 0] == EOS).all()


def test_segments_of_few_rows_are_about_equally_long(catbabi):
    mask = join(catbabi.segments("test", 4, 50)).mask
    assert mask.float().mean() > 0.8


def test_slips(catbabi):
    with pytest.raises(UserError, match="rows must be at least 1"):
        catbabi.streams(0)
    with pytest.raises(UserError, match="at least 1 token"):
        catbabi.streams(1).next(0)
    with pytest.raises(UserError, match="of 3 streams, these are 2"):
        catbabi.streams(2).restore(catbabi.streams(3).state())
    with pytest.raises(UserError, match="did you mean 'test'"):
        catbabi.segments("tests", 1, 10)
    with pytest.raises(UserError, match="at least 1"):
        catbabi.segments("test", 0, 10)
