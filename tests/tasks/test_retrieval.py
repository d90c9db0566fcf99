"""Sequences are what the task says, drawn uniformly, reproducibly; metrics are what counting gives."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastweights.errors import UserError
from fastweights.tasks.retrieval import Retrieval
from fastweights.tasks.symbols import LETTERS, QUESTION

FORMS = ("paper", "trailing-read")
DRAWN = 60_000


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(
    pairs=st.integers(1, 26),
    form=st.sampled_from(FORMS),
    repeat=st.booleans(),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_sequences_are_pairs_then_the_question(pairs, form, repeat, seed):
    task = Retrieval(pairs, form=form, repeat_keys=repeat)
    tokens, answer, slot = task.sample(5, generator(seed))
    assert tokens.shape == (5, task.length)
    for row in range(5):
        text = task.decode(tokens[row])
        keys, values, end = text[0 : 2 * pairs : 2], text[1 : 2 * pairs : 2], text[2 * pairs :]
        assert keys.isalpha() and values.isdigit() and len(keys) == len(values) == pairs
        assert repeat or len(set(keys)) == pairs
        assert end == f"??{keys[slot[row]]}" + ("?" if form == "trailing-read" else "")
        assert int(values[slot[row]]) == answer[row]


@given(
    pairs=st.integers(1, 26),
    form=st.sampled_from(FORMS),
    repeat=st.booleans(),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_what_is_drawn_can_be_typed(pairs, form, repeat, seed):
    task = Retrieval(pairs, form=form, repeat_keys=repeat)
    tokens = task.sample(1, generator(seed)).tokens[0]
    # A task of any number of pairs takes a sequence of any other.
    typed = Retrieval(2, form=form).encode(f" {task.decode(tokens).upper()}\n")
    assert torch.equal(typed, tokens) and typed.dtype == tokens.dtype


def test_same_generator_same_sequences():
    task = Retrieval(6)
    first, again, other = (task.sample(50, generator(seed)) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.tokens, other.tokens)
    assert task.sample(0, generator()).tokens.shape == (0, 15)


def counts_near(counts: torch.Tensor, expected: float) -> bool:
    """Within six standard deviations of a binomial count."""
    return bool(((counts - expected).abs() < 6 * expected**0.5).all())


@pytest.mark.parametrize("repeat", [False, True])
def test_every_ordered_choice_of_keys_equally_likely(repeat):
    tokens = Retrieval(2, repeat_keys=repeat).sample(DRAWN, generator()).tokens
    seen = torch.bincount(tokens[:, 0] * 26 + tokens[:, 2], minlength=676).view(26, 26)
    same = seen.diagonal()
    different = seen[~torch.eye(26, dtype=torch.bool)]
    if repeat:
        assert counts_near(seen, DRAWN / 676)
    else:
        assert int(same.sum()) == 0 and counts_near(different, DRAWN / 650)


def test_all_letters_in_any_order():
    keys = Retrieval(26).sample(DRAWN // 2, generator()).tokens[:, 0:52:2]
    assert torch.equal(keys.sort(1).values, torch.arange(26).expand(len(keys), 26))
    for place in (0, 12, 25):
        assert counts_near(torch.bincount(keys[:, place], minlength=26), len(keys) / 26)
    # The last key is not tied to the one before it.
    last = torch.bincount(keys[:, 24] * 26 + keys[:, 25], minlength=676).view(26, 26)
    assert counts_near(last[~torch.eye(26, dtype=torch.bool)], len(keys) / 650)


def test_slots_and_digits_are_uniform_and_independent():
    task = Retrieval(4)
    tokens, answer, slot = task.sample(DRAWN, generator())
    assert counts_near(torch.bincount(slot * 10 + answer, minlength=40), DRAWN / 40)
    first, second = tokens[:, 1] - len(LETTERS), tokens[:, 3] - len(LETTERS)
    assert counts_near(torch.bincount(first * 10 + second, minlength=100), DRAWN / 100)
    assert counts_near(torch.bincount(tokens[:, -1], minlength=26)[:26], DRAWN / 26)
    assert (tokens[:, 8:10] == QUESTION).all()


@pytest.mark.parametrize("pairs", [1, 3])
def test_metrics_are_counts(pairs):
    task = Retrieval(pairs)
    batch = task.sample(200, generator())
    logits = torch.randn(200, 10, generator=generator(1))
    scored = task.metrics(logits, batch)
    guesses = logits.argmax(1).tolist()
    hits = [g == a for g, a in zip(guesses, batch.answer.tolist(), strict=True)]
    assert scored["accuracy"] == pytest.approx(sum(hits) / 200)
    for slot, accuracy in enumerate(scored["per_slot_accuracy"]):
        of_slot = [hit for hit, s in zip(hits, batch.slot.tolist(), strict=True) if s == slot]
        assert accuracy == pytest.approx(sum(of_slot) / len(of_slot))
    chosen = logits.double().softmax(1)[torch.arange(200), batch.answer]
    assert scored["cross_entropy"] == pytest.approx(float(-chosen.log().mean()))


def test_perfect_and_unasked_slots():
    task = Retrieval(3)
    batch = task.sample(40, generator())
    oldest = batch.slot == 0
    batch = type(batch)(*(field[oldest] for field in batch))
    scored = task.metrics(100 * torch.eye(10)[batch.answer], batch)
    assert scored["accuracy"] == 1 and scored["cross_entropy"] < 1e-30
    assert scored["per_slot_accuracy"] == [1, 0, 0]
    with pytest.raises(UserError, match=r"\[2, 10\]"):
        task.metrics(torch.zeros(2, 9), type(batch)(*(field[:2] for field in batch)))
    with pytest.raises(UserError, match="no sequences"):
        task.metrics(torch.zeros(0, 10), type(batch)(*(field[:0] for field in batch)))


@pytest.mark.parametrize("pairs", [0, -1, 27])
def test_pairs_out_of_range(pairs):
    with pytest.raises(UserError, match="1 to 26"):
        Retrieval(pairs)


def test_repr_and_length():
    for pairs, form in itertools.product((1, 26), FORMS):
        task = Retrieval(pairs, form=form)
        assert task.length == len(task.decode(task.sample(1, generator()).tokens[0]))
        assert eval(repr(task), {"Retrieval": Retrieval}).length == task.length
    with pytest.raises(UserError, match="at least 0"):
        Retrieval().sample(-1, generator())
