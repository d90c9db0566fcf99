"""Generation: the likeliest words of one long pass, what a draw is made from, rows, seeds, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fastweights import models
from fastweights.errors import UserError
from fastweights.models.generation import filter_logits, generate

WORDS = 11


@pytest.fixture(params=["fwm", "lstm", "transformer-xl"])
def model(request: pytest.FixtureRequest) -> models.SequenceModel:
    options = {"transformer-xl": {"layers": 2, "heads": 2, "memory_length": 50}}
    config = models.model_config(
        request.param,
        input=WORDS,
        hidden=8,
        classes=WORDS,
        embedding=8,
        word_dropout=0.5,
        options=options.get(request.param, {}),
    )
    return models.from_config(config)


def spread(model: models.SequenceModel) -> models.SequenceModel:
    """Make the model's opinions strong, so that its words vary."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)
    return model


def test_the_likeliest_words_are_those_of_one_pass_over_all(model):
    prompt = torch.randint(WORDS, (3, 5))
    words = torch.stack([*generate(spread(model), prompt, 20, temperature=0)], 1)
    assert words.shape == (3, 20) and len(words.unique()) > 2
    logits, _ = model(torch.cat([prompt, words], 1))
    assert torch.equal(words, logits[:, 4:-1].argmax(-1))


def test_logits_step_by_step_are_those_of_one_pass(model, monkeypatch):
    seen = []
    monkeypatch.setattr(models.generation, "_sample", spy(seen))
    prompt = torch.randint(WORDS, (2, 4))
    words = torch.stack([*generate(model, prompt, 30)], 1)
    logits, _ = model(torch.cat([prompt, words], 1))
    assert (torch.stack(seen, 1) - logits[:, 3:-1]).abs().max() <= 1e-5


def spy(seen: list[torch.Tensor]):
    drawn = models.generation._sample

    def note(logits, *rest):
        seen.append(logits)
        return drawn(logits, *rest)

    return note


def test_a_state_goes_on_where_it_was_left(model):
    prompt = torch.randint(WORDS, (2, 6))
    whole = [*generate(model, prompt, 5, temperature=0)]
    _, state = model(prompt[:, :4])
    later = [*generate(model, prompt[:, 4:], 5, temperature=0, state=state)]
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(whole, later, strict=True))


def test_the_same_seed_gives_the_same_words(model):
    prompt = torch.randint(WORDS, (2, 3))

    def words(seed: int) -> torch.Tensor:
        drawn = generate(model, prompt, 30, generator=torch.Generator().manual_seed(seed))
        return torch.stack([*drawn], 1)

    assert torch.equal(words(1), words(1)) and not torch.equal(words(1), words(2))


def test_a_row_does_not_depend_on_the_others(model):
    prompt = torch.randint(WORDS, (2, 3))
    other = torch.stack([prompt[0], (prompt[1] + 1) % WORDS])

    def first(prompt: torch.Tensor) -> list[int]:
        generator = torch.Generator().manual_seed(3)
        return [int(word[0]) for word in generate(model, prompt, 30, generator=generator)]

    assert first(prompt) == first(other)


def test_nothing_is_dropped_and_no_gradient_kept(model):
    model.train()
    prompt = torch.randint(WORDS, (1, 3))
    first = [*generate(model, prompt, 10, temperature=0)]
    assert not model.training and not any(word.requires_grad for word in first)
    assert all(map(torch.equal, first, generate(model, prompt, 10, temperature=0)))


@given(
    st.data(), st.floats(0.05, 5), st.none() | st.integers(1, 14), st.none() | st.floats(0.01, 1)
)
def test_what_is_drawn_from(data, temperature, top_k, top_p):
    classes = data.draw(st.integers(1, 12))
    # A tenth apart, so that what is likelier is so in any arithmetic.
    order = np.array(data.draw(st.permutations(range(classes))))
    logits = order / 10 + data.draw(arrays(np.float64, classes, elements=st.floats(0, 0.01)))
    chances, words = filter_logits(
        torch.tensor(logits, dtype=torch.float32)[None], temperature, top_k, top_p
    )
    ours = np.zeros(classes)
    places = np.arange(classes) if words is None else words[0].numpy()
    ours[places] = (chances / chances.sum())[0].numpy()
    likeliest = np.argsort(-logits)[: top_k or classes]
    expected = np.zeros(classes)
    expected[likeliest] = np.exp(logits[likeliest] / temperature)
    expected /= expected.sum()
    if top_p is not None:
        together = np.cumsum(expected[likeliest])
        # Which word is the last must not hang on the last bit.
        assume(np.abs(together - top_p).min() > 1e-5)
        last = np.searchsorted(together, top_p)
        expected[likeliest[last + 1 :]] = 0
    np.testing.assert_allclose(ours, expected / expected.sum(), atol=1e-5)


def test_draws_follow_the_probabilities():
    logits = torch.tensor([0.5, 0.2, 0.2, 0.1]).log().expand(4000, 4)
    drawn = models.generation._sample(logits, 1.0, 3, 0.8, None)
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    assert torch.allclose(shares, torch.tensor([0.5, 0.2, 0.2, 0]) / 0.9, atol=0.04)


def test_a_temperature_near_nothing_takes_the_likeliest():
    logits = torch.tensor([[3e4, 1.0, -3e4]])
    chances, _ = filter_logits(logits, 1e-30, None, None)
    assert chances.tolist() == [[1, 0, 0]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"temperature": -0.1}, "temperature must be from 0 to below infinity, not -0.1"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": 0}, "top_k must be at least 1, not 0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, not 0"),
        ({"top_p": 1.5}, "not 1.5"),
        ({"count": -1}, "number of words must not be negative"),
        ({"prompt": torch.zeros(1, 0, dtype=torch.long)}, "the prompt is empty"),
    ],
)
def test_slips_are_said_at_once(given, said, model):
    arguments = {"prompt": torch.zeros(1, 2, dtype=torch.long), "count": 3, **given}
    with pytest.raises(UserError, match=said):
        generate(model, **arguments)
