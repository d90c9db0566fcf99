"""Symbols stand at any places among blanks, and are to be said in their order."""

import pytest
import torch

from fastweights.tasks import SelectiveCopying


@pytest.mark.parametrize(("copied", "length"), [(1, 2), (3, 6), (5, 30)])
def test_what_is_said_is_what_was_read_without_blanks(copied, length):
    task = SelectiveCopying(copied, length=length, vocabulary=7)
    tokens, answer, asked = task.sample(100, torch.Generator().manual_seed(0))
    for row in range(100):
        read = tokens[row].tolist()
        assert [token for token in read if token < 5] == answer[row][asked[row]].tolist()
        assert read[-copied:] == [6] * copied and read.count(6) == copied
        assert read.count(5) == length - 2 * copied
    assert torch.equal(asked, tokens == 6)


def test_places_and_symbols_are_uniform():
    task = SelectiveCopying(4, length=24, vocabulary=6)
    tokens, answer, asked = task.sample(20_000, torch.Generator().manual_seed(1))
    taken, expected = (tokens[:, :20] < 4).sum(0), 20_000 * 4 / 20
    assert ((taken - expected).abs() < 6 * expected**0.5).all()
    counts = torch.bincount(answer[asked], minlength=6)
    assert int(counts[4:].sum()) == 0 and ((counts[:4] / 80_000 - task.chance).abs() < 0.01).all()
