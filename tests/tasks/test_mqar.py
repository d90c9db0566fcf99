"""Sequences of MQAR are what the definition says: read again by a dictionary, drawn uniformly but for the gaps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastweights.tasks import MQAR


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.integers(0, 20), st.integers(0, 30), st.integers(0, 2**31))
def test_every_key_is_asked_for_once_behind_the_pairs(pairs, more, extra, seed):
    length, vocabulary = 4 * pairs + 2 * more, 2 * pairs + 2 + 2 * extra
    task = MQAR(pairs, length=length, vocabulary=vocabulary)
    tokens, answer, asked = task.sample(4, generator(seed))
    assert tokens.shape == (4, length) and int(tokens.min()) >= 0
    assert int(tokens.max()) < vocabulary
    for row in range(4):
        read = tokens[row].tolist()
        stored = dict(zip(read[0 : 2 * pairs : 2], read[1 : 2 * pairs : 2], strict=True))
        assert len(stored) == len({*stored.values()}) == pairs
        assert all(1 <= key < vocabulary // 2 <= value for key, value in stored.items())
        places = asked[row].nonzero().flatten().tolist()
        assert all(place >= 2 * pairs and place % 2 == 0 for place in places)
        assert sorted(read[place] for place in places) == sorted(stored)
        assert all(int(answer[row, place]) == stored[read[place]] for place in places)


def test_questions_come_sooner_by_the_power_law():
    task = MQAR(1, length=22, vocabulary=8)
    _, _, asked = task.sample(60_000, generator())
    counts = asked[:, 2::2].sum(0).double()
    weights = torch.arange(1, 11, dtype=torch.float64) ** -0.99
    expected = 60_000 * weights / weights.sum()
    assert ((counts - expected).abs() < 6 * expected.sqrt()).all()


def test_keys_values_and_what_stands_between_are_uniform():
    task = MQAR(2, length=40, vocabulary=16)
    tokens, _, asked = task.sample(30_000, generator())
    for place, kinds in ((0, range(1, 8)), (1, range(8, 16)), (3, range(8, 16))):
        counts = torch.bincount(tokens[:, place], minlength=16)
        expected = 30_000 / len(kinds)
        assert ((counts[list(kinds)] - expected).abs() < 6 * expected**0.5).all()
    between = tokens[:, 4:][~asked[:, 4:]]
    counts, expected = torch.bincount(between, minlength=16), len(between) / 16
    assert ((counts - expected).abs() < 6 * expected**0.5).all()


def test_who_knows_the_values_but_not_the_keys_reaches_the_ceiling():
    task = MQAR(4, length=32, vocabulary=32)
    tokens, answer, asked = task.sample(20_000, generator())
    guess = tokens[:, 5][:, None].expand_as(answer)  # the value of the third pair, always
    assert float((guess == answer)[asked].double().mean()) == pytest.approx(
        task.no_binding_ceiling, abs=1e-12
    )
    best = torch.bincount(answer[asked], minlength=32).max() / int(asked.sum())
    assert float(best) == pytest.approx(task.chance, abs=0.003)
