"""The loss of a text, held against one pass over it in float64."""

import math

import pytest
import torch.nn.functional as F
from corpora import CLASSES, Babble
from hypothesis import given
from hypothesis import strategies as st
from texts import network

from fastweights.errors import UserError
from fastweights.training import evaluate_words, perplexity
from fastweights.training.sources.text_loss import fitting

TEXT = Babble().split("test")


def lstm():
    return network("lstm", backend="torch")


@given(
    rows=st.integers(1, 6),
    length=st.sampled_from([None, 1, 7, 70]),
    temperature=st.sampled_from([0.8, 1.0, 1.19]),
)
def test_it_is_the_exact_mean_over_all_that_is_predicted(rows, length, temperature):
    model = lstm()
    steps = len(TEXT) // rows
    whole = TEXT[: rows * steps].view(rows, steps)
    logits, _ = model(whole[:, :-1])
    expected = F.cross_entropy(
        logits.double().flatten(0, 1) / temperature, whole[:, 1:].flatten()
    ).item()
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


def test_rows_depend_on_nothing_but_themselves():
    model, steps = lstm(), 19
    parts = TEXT[: 3 * steps].split(steps)
    each = [evaluate_words(model, part)[1.0] for part in parts]
    assert evaluate_words(model, TEXT, rows=3)[1.0] == pytest.approx(sum(each) / 3, rel=1e-6)


def test_the_mode_is_left_and_progress_told():
    model, told = lstm().train(), []
    evaluate_words(model, TEXT, rows=2, length=10, on_progress=told.append)
    assert told == [20, 40, 54] and model.training
    with pytest.raises(ZeroDivisionError):
        evaluate_words(model, TEXT, on_progress=lambda done: 1 // 0)
    assert model.training


def test_a_model_gone_wild_has_a_finite_perplexity():
    assert perplexity(math.log(312.6)) == pytest.approx(312.6)
    assert math.isfinite(perplexity(1e6))


@pytest.mark.parametrize(
    "wrong",
    [{"rows": 0}, {"length": 0}, {"rows": 40}, {"temperatures": ()}, {"temperatures": (0.0,)}],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(UserError) as caught:
        evaluate_words(lstm(), TEXT, **wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("tokens", "rows"), [(17, 1), (19, 1), (199, 1), (350, 3), (5000, 10)])
def test_no_row_is_so_short_that_its_first_token_tells(tokens, rows):
    assert fitting(tokens, 10) == rows
