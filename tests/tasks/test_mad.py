"""The six tests of MAD, read again by programs of their own."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastweights.tasks import MAD
from fastweights.tasks.mad import COPIED, KINDS, NOISE_SYMBOLS


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def check_recall(tokens: list[int], answer: list[int], asked: list[bool], keys: int, noise: int):
    """Check that values are asked for, and are those told before, where a key is not new; noise is skipped."""
    told: dict[int, int] = {}
    for place in range(0, len(tokens), 2):
        key = tokens[place]
        if key >= noise:
            assert tokens[place + 1] >= noise and not asked[place]
        else:
            value = answer[place]
            assert key < keys <= value < noise
            assert place + 1 == len(tokens) or value == tokens[place + 1]
            assert asked[place] == (key in told) and told.setdefault(key, value) == value
        assert place + 1 == len(tokens) or not asked[place + 1]
    assert asked[-1]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["in-context-recall", "noisy-recall"]),
    st.integers(2, 30),
    st.integers(0, 20),
    st.integers(0, 2**31),
)
def test_recall_asks_for_what_was_told(kind, pairs, more, seed):
    vocabulary = KINDS[kind].least[0] + more
    task = MAD(kind, length=2 * pairs, vocabulary=vocabulary)
    tokens, answer, asked = task.sample(4, generator(seed))
    noise = vocabulary - NOISE_SYMBOLS if kind == "noisy-recall" else vocabulary
    for row in range(4):
        read, right = tokens[row].tolist(), answer[row].tolist()
        check_recall(read, right, asked[row].tolist(), noise // 2, noise)
    learned = task.sample(4, generator(seed), training=True)
    assert torch.equal(learned.tokens, tokens) and learned.asked.all()
    assert torch.equal(learned.answer[:, :-1], tokens[:, 1:])


def test_a_fifth_of_the_pairs_is_noise():
    task = MAD("noisy-recall")
    tokens, _, _ = task.sample(2000, generator())
    noisy = (tokens[:, 0:126:2] >= 16).double()
    assert float(noisy.mean()) == pytest.approx(0.2 * 62 / 63, abs=0.005)  # one pair is spared
    assert int(noisy.sum(1).max()) < 63
    counts = torch.bincount(tokens[tokens >= 16] - 16, minlength=16)
    expected = int(counts.sum()) / 16
    assert ((counts - expected).abs() < 6 * expected**0.5).all()


def runs(tokens: list[int], keys: int) -> list[tuple[int, ...]]:
    """Return the keys and values that take turns: runs of symbols of keys and of others."""
    return [tuple(run) for _, run in itertools.groupby(tokens, lambda token: token < keys)]


@settings(max_examples=60, deadline=None)
@given(st.integers(24, 90), st.integers(7, 20), st.booleans(), st.integers(0, 2**31))
def test_fuzzy_recall_asks_for_the_values_of_keys_told_before(length, vocabulary, training, seed):
    task = MAD("fuzzy-recall", length=length, vocabulary=vocabulary)
    padding, keys = vocabulary - 1, (vocabulary - 1) // 2
    tokens, answer, asked = task.sample(3, generator(seed), training=training)
    assert tokens.shape == (3, length)
    for row in range(3):
        whole = [*tokens[row].tolist(), int(answer[row, -1])]
        assert answer[row].tolist() == whole[1:]
        real = [token for token in whole if token != padding]
        assert whole == [padding] * (length + 1 - len(real)) + real
        told: dict[tuple[int, ...], tuple[int, ...]] = {}
        wanted = [False] * (length + 1 - len(real))
        parts = runs(real, keys)
        for key, value in zip(parts[0::2], parts[1::2], strict=True):
            assert len({*key}) == len(key) <= 3 and len({*value}) == len(value) <= 3
            assert training or len(key) == 3
            wanted += [False] * len(key) + [key in told] * len(value)
            assert told.setdefault(key, value) == value
        assert wanted[-1]
        expected = [True] * length if training else wanted[1:]
        assert asked[row].tolist() == expected


def test_sizes_of_fuzzy_keys_and_values_are_as_likely():
    tokens = MAD("fuzzy-recall").sample(1500, generator(), training=True).tokens
    sizes = {True: [0, 0, 0], False: [0, 0, 0]}
    for row in tokens.tolist():
        for run in runs([token for token in row if token != 15][6:60], 7)[1:-1]:
            sizes[run[0] < 7][len(run) - 1] += 1
    for found in sizes.values():
        assert all(share / sum(found) == pytest.approx(1 / 3, abs=0.02) for share in found)


def test_copying_repeats_what_stands_among_blanks():
    task = MAD("selective-copying", length=60)
    tokens, answer, asked = task.sample(200, generator())
    for row in range(200):
        read = tokens[row].tolist()
        before, after = read[: 60 - COPIED - 1], read[60 - COPIED :]
        assert read[60 - COPIED - 1] == 15 and after == [14] * COPIED
        assert [token for token in before if token != 14] == answer[row][asked[row]].tolist()
        assert before[-1] != 14  # each blank stands before a symbol
    assert asked.nonzero()[:, 1].unique().tolist() == [*range(60 - COPIED, 60)]


def test_compression_asks_at_the_end_for_all_that_was_read():
    task = MAD("compression", length=6, vocabulary=5)
    batch = task.sample(100, generator())
    assert (batch.tokens[:, -1] == 4).all() and int(batch.tokens[:, :-1].max()) == 3
    assert batch.asked.nonzero()[:, 1].tolist() == [5] * 100 and task.classes == 25
    perfect = torch.nn.functional.one_hot(batch.tokens[:, :-1], 5).flatten(1).float()
    scores = task.scores(10 * perfect, batch)
    assert scores.shape == (500,) and bool((scores == 1).all())
    wrong = perfect.clone()
    wrong[7, 10:15] = torch.eye(5)[(batch.tokens[7, 2] + 1) % 5]
    assert task.scores(wrong, batch).view(100, 5)[7].tolist() == [1, 1, 0, 1, 1]
    assert float(task.losses(100 * perfect, batch).max()) < 1e-6


def test_facts_are_the_same_whoever_asks():
    task, again = MAD("memorisation"), MAD("memorisation")
    told = task.sample(200, generator(1), training=True)
    asked = again.sample(50, generator(2))
    facts = dict(
        zip(told.tokens[:, ::2].flatten().tolist(), told.answer[told.asked].tolist(), strict=True)
    )
    assert (told.tokens[:, 1::2] == 255).all() and told.asked.sum(1).unique().tolist() == [16]
    for key, value in zip(
        asked.tokens[:, ::2].flatten().tolist(), asked.answer[asked.asked].tolist(), strict=True
    ):
        assert facts.get(key, value) == value
    assert len({*facts.values()}) == len(facts) == 127  # all keys, each with a value of its own
    assert min(facts.values()) >= 127 and max(facts.values()) < 255


@pytest.mark.parametrize("kind", KINDS)
def test_chance_is_what_the_best_guess_from_the_present_symbol_reaches(kind):
    task = MAD(kind)
    batch = task.sample(30_000 if kind == "fuzzy-recall" else 4000, generator(5))
    places = task.places(batch)
    present = torch.full_like(batch.tokens, 0) if kind == "compression" else batch.tokens
    joint = torch.zeros(task.vocabulary, task.vocabulary)
    pairs = present[places], batch.answer[places]
    joint.index_put_(pairs, torch.ones(len(pairs[0])), accumulate=True)
    best = float(joint.max(1).values.sum() / joint.sum())
    assert task.chance - 0.002 < best < task.chance + 0.012
