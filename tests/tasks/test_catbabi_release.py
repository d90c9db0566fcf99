"""The real release, where FASTWEIGHTS_DATA has it: the published counts, exactly."""

from __future__ import annotations

import os

import pytest

from fastweights.data import babi_files
from fastweights.errors import UserError
from fastweights.tasks import CatBAbI


def _absent() -> bool:
    try:
        return "FASTWEIGHTS_DATA" not in os.environ or not babi_files.find()
    except UserError:
        return True


pytestmark = pytest.mark.skipif(_absent(), reason="needs bAbI in FASTWEIGHTS_DATA")


@pytest.fixture(scope="module")
def task() -> CatBAbI:
    return CatBAbI()


def test_counts_are_those_published(task):
    found = {split: counts[:2] for split, counts in task.counts.items()}
    published = {"train": (56376, 179909), "valid": (6245, 19907), "test": (6247, 19910)}
    assert found == published
    assert task.counts["valid"].tokens == 570894 and task.counts["test"].tokens == 565653
    assert task.classes == 180
    assert "not the published release of bAbI v1.2" not in task.notes


def test_no_story_is_lost_where_all_are_asked_for():
    every = CatBAbI(stories="all").counts
    found = {split: counts[:2] for split, counts in every.items()}
    assert found == {"train": (56396, 179998), "valid": (6265, 20002), "test": (6267, 20000)}


def test_segments_hold_every_question(task):
    (segment,) = task.segments("test", 1, 10**6)
    assert int(segment.answers.sum()) == 19910 and bool(segment.mask.all())
    assert segment.tokens.numel() == 565653 + 6247


def test_the_small_size_is_whole():
    task = CatBAbI(size="1k")
    assert not task.missing and task.counts["test"] == CatBAbI().counts["test"]
