"""The loss of a text, held against one pass over it in float64."""

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from corpora import CLASSES, Babble
from hypothesis import given
from hypothesis import strategies as st
from texts import network

from fastweights.errors import UserError
from fastweights.training import evaluate_words, perplexity
from fastweights.training.sources.text_loss import fitting

TEXT = Babble().split("test")


def parts(text, rows):
    """A text in rows as equal as they can be, each from the last token of the one before it on."""
    cuts = [0]
    for row in range(rows):
        cuts.append(cuts[-1] + (len(text) - 1) // rows + (row < (len(text) - 1) % rows))
    return [text[start : stop + 1] for start, stop in pairwise(cuts)]


def lstm():
    return network("lstm", backend="torch")


@given(
    rows=st.integers(1, 6),
    length=st.sampled_from([None, 1, 7, 70]),
    temperature=st.sampled_from([0.8, 1.0, 1.19]),
)
def test_it_is_the_exact_mean_over_all_that_is_predicted(rows, length, temperature):
    model = lstm()
    losses = []
    for part in parts(TEXT, rows):
        logits, _ = model(part[None, :-1])
        losses.append(F.cross_entropy(logits[0].double() / temperature, part[1:], reduction="none"))
    assert sum(map(len, losses)) == len(TEXT) - 1
    expected = torch.cat(losses).mean().item()
    asked = (1.0, temperature)
    found = evaluate_words(model, TEXT, rows=rows, length=length, temperatures=asked)
    assert found[temperature] == pytest.approx(expected, rel=1e-6)
    alone = evaluate_words(model, TEXT, rows=rows, length=length, temperatures=(temperature,))
    assert alone[temperature] == found[temperature]


def test_blocks_of_logits_add_up(monkeypatch):
    model = lstm()
    whole = evaluate_words(model, TEXT, temperatures=(0.9, 1.0))
    monkeypatch.setattr("fastweights.training.sources.text_loss._SCORED_AT_ONCE", 2 * CLASSES)
    assert evaluate_words(model, TEXT, temperatures=(0.9, 1.0)) == pytest.approx(whole, rel=1e-7)


@pytest.mark.parametrize("tokens", [2, 3, 4, 9, 57])
@pytest.mark.parametrize("rows", [1, 2, 3, 8])
def test_every_token_but_the_first_counts_once_in_any_text(tokens, rows):
    """A model that knows a token by what stands before it takes as many bits, however many rows it reads."""

    class Bigram(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(CLASSES, CLASSES)

        def forward(self, words, state=None):
            return self.table(words), state

    model, text = Bigram(), TEXT[:tokens]
    if rows >= tokens:
        with pytest.raises(UserError, match="too short"):
            evaluate_words(model, text, rows=rows)
        return
    true = F.cross_entropy(model.table(text[:-1]).double(), text[1:]).item()
    assert evaluate_words(model, text, rows=rows, length=2)[1.0] == pytest.approx(true, rel=1e-6)


def test_the_mode_is_left_and_progress_told():
    model, told = lstm().train(), []
    evaluate_words(model, TEXT, rows=2, length=10, on_progress=told.append)
    assert told == [20, 40, 56] and model.training
    with pytest.raises(ZeroDivisionError):
        evaluate_words(model, TEXT, on_progress=lambda done: 1 // 0)
    assert model.training


def test_a_model_gone_wild_has_a_finite_perplexity():
    assert perplexity(math.log(312.6)) == pytest.approx(312.6)
    assert math.isfinite(perplexity(1e6))


@pytest.mark.parametrize(
    "wrong",
    [{"rows": 0}, {"length": 0}, {"rows": 57}, {"temperatures": ()}, {"temperatures": (0.0,)}],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(UserError) as caught:
        evaluate_words(lstm(), TEXT, **wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("tokens", "rows"), [(17, 1), (19, 1), (199, 1), (350, 3), (5000, 10)])
def test_no_row_is_so_short_that_its_first_token_tells(tokens, rows):
    assert fitting(tokens, 10) == rows
