"""The real texts, where FASTWEIGHTS_DATA has them: the published counts and the ids of the authors' program."""

from __future__ import annotations

import os

import pytest

from fastweights.data import text
from fastweights.errors import UserError
from fastweights.tasks import Text

PUBLISHED = {
    "ptb": ((929589, 73760, 82430), 10000),
    "wikitext-2": ((2088628, 217646, 245569), 33278),
}


@pytest.fixture(params=PUBLISHED)
def name(request) -> str:
    try:
        if "FASTWEIGHTS_DATA" in os.environ and text.find(request.param):
            return request.param
    except UserError:
        pass
    pytest.skip(f"needs {request.param} in FASTWEIGHTS_DATA")


def test_counts_and_ids_are_those_published(name):
    task = Text(name)
    counts, vocabulary = PUBLISHED[name]
    assert tuple(task.counts.values()) == tuple(task.words.values()) == counts
    assert task.classes == vocabulary and not task.notes
    index: dict[str, int] = {}
    parts = text.read(name, text.find(name))
    for split, part in zip(text.SPLITS, parts, strict=True):
        words = [w for line in part.split("\n")[:-1] for w in [*line.split(), "<eos>"]]
        assert task.split(split).tolist() == [index.setdefault(w, len(index)) for w in words]
    assert tuple(index) == task.vocabulary


@pytest.mark.slow
def test_pieces_give_back_the_very_text(name):
    task = Text(name, tokenizer="bpe", vocabulary_size=1000)
    assert task.classes == 1000 and tuple(task.words.values()) == PUBLISHED[name][0]
    test = text.read(name, text.find(name)).test
    assert task.tokenizer.decode(task.split("test")) == test
