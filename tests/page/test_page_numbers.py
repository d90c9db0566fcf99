"""What the browser computes is what the library computes in float64, with the same float32 weights.

Logits are compared, not answers: with a decay too many in the attention form all of these answers stay the same. The
browser computes in float64 too, so 1e-9 leaves room for the order of sums alone.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from page_made import VOCABULARY, fast_weights, fwm
from page_numbers import retrieval_logits, retrieval_questions, stories, story_logits

from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.page import filled
from fastweights.experiments.retrieval import page as retrieval
from fastweights.models import SequenceModel
from fastweights.nn import FastWeightRNN
from fastweights.ops.delta_memory import delta_memory
from fastweights.tasks import Retrieval, story_text

TOLERANCE = 1e-9
QUESTIONS = 200


def tensor(given: object) -> torch.Tensor:
    return torch.tensor(given, dtype=torch.float64)


FAST_WEIGHTS: list[dict[str, Any]] = [
    {},
    {"form": "trailing-read", "inner_steps": 3, "preliminary_norm": True},
    {"embedding": 7, "readout": 9, "nonlinearity": "tanh", "learn_decay": True, "learn_rate": True},
    {"layer_norm": False, "nonlinearity": "tanh", "rate": 0.05, "decay": 0.8},
    {"model": "fast-weights-flat"},
]


@pytest.mark.parametrize("given", FAST_WEIGHTS, ids=lambda given: "-".join(given) or "paper")
def test_fast_weights_compute_the_librarys_logits(given: dict[str, Any], filled_page: Any) -> None:
    model, contents = fast_weights(**given)
    form = given.get("form", "paper")
    questions = retrieval_questions(Retrieval(form=form), QUESTIONS)
    exact = retrieval_logits(model, form, questions)
    page = filled_page(contents)
    for way in ("logits", "written"):  # as attention, and with A written out
        found = tensor(page.ask_each(way, questions))
        assert found.shape == exact.shape and len(found) >= QUESTIONS
        torch.testing.assert_close(found, exact, rtol=0, atol=TOLERANCE)
    traced = retrieval_trace(model, form, questions[0])
    for t, reads in enumerate(page.ask("weights", questions[0])):
        torch.testing.assert_close(tensor(reads), traced[t, :, :t], rtol=0, atol=TOLERANCE)


def retrieval_trace(model: SequenceModel, form: str, question: str) -> torch.Tensor:
    with torch.no_grad():
        trace = copy.deepcopy(model).double().trace(Retrieval(form=form).encode(question)[None])
    assert trace.read_weights is not None
    return trace.read_weights[0]


@pytest.mark.parametrize(
    ("knobs", "changed"),
    [
        ({"decay": 0.4}, {"decay": 0.4}),
        ({"rate": 1.5}, {"rate": 1.5}),
        ({"steps": 4}, {"inner_steps": 4}),
        ({"memory": False}, {"rate": 0.0}),
    ],
    ids=lambda given: next(iter(given)),
)
def test_knobs_are_the_networks_own(
    knobs: dict[str, Any], changed: dict[str, Any], filled_page: Any
) -> None:
    model, contents = fast_weights()
    questions = retrieval_questions(Retrieval(), 30)
    before = retrieval_logits(model, "paper", questions)
    assert isinstance(model.backbone, FastWeightRNN)
    for name, value in changed.items():
        setattr(model.backbone, name, value)
    exact = retrieval_logits(model, "paper", questions)
    found = tensor(filled_page(contents).ask_each("logits", questions, knobs))
    torch.testing.assert_close(found, exact, rtol=0, atol=TOLERANCE)
    assert (found - before).abs().max() > 1e-3


def test_half_precision_answers_as_the_run_does(
    retrieval_run: Any, opened: Any, tmp_path: Any
) -> None:
    run = open_run(retrieval_run)
    questions = retrieval_questions(run.task, 1000)[:334]  # of 4 pairs, which it was trained on
    exact = retrieval_logits(run.model, "paper", questions)
    contents = retrieval.contents(retrieval_run)
    for precision, least in (("float16", 0.999), ("int8", 0.99)):
        file = tmp_path / f"{precision}.html"
        file.write_text(filled(contents, precision))
        found = tensor(opened(file).ask_each("logits", questions))
        assert (found.argmax(1) == exact.argmax(1)).double().mean() >= least
        assert 1e-6 < (found - exact).abs().max() < 1  # they are not the float32 ones


FWM: list[dict[str, Any]] = [
    {},
    {"variant": "paper", "reads": 1},
    {"variant": "language_model", "combine": "concat"},
    {"variant": "meta_rl", "key_size": 5, "reads": 4},
    {"residual": True, "clamp": False, "write_scale": 0.3},
]


@pytest.mark.parametrize("given", FWM, ids=lambda given: "-".join(given) or "catbabi")
def test_fast_weight_memories_compute_the_librarys_logits(
    given: dict[str, Any], filled_page: Any
) -> None:
    model, contents = fwm(**given)
    told = stories(VOCABULARY, QUESTIONS)
    exact = torch.cat([story_logits(model, VOCABULARY, text) for text in told])
    page = filled_page(contents)
    found = [question for each in page.ask_each("read", told) for question in each]
    logits = tensor([question["logits"] for question in found])
    assert logits.shape == exact.shape and len(logits) >= QUESTIONS
    torch.testing.assert_close(logits, exact, rtol=0, atol=TOLERANCE)

    asked = page.ask("read", told[0])
    tokens = story_text.encode(told[0], VOCABULARY)
    with torch.no_grad():
        trace = copy.deepcopy(model).double().trace(tokens[None], memory_steps=())
    assert trace.read_weights is not None
    places = (tokens == VOCABULARY.index("?")).nonzero().flatten().tolist()
    for place, question in zip(places, asked, strict=True):
        right = trace.read_weights[0, place, :, : place + 1]
        torch.testing.assert_close(tensor(question["weights"]), right, rtol=0, atol=TOLERANCE)


def test_a_story_without_answers_is_read_with_the_networks_own(filled_page: Any) -> None:
    from fastweights.experiments.catbabi.predict import answered

    model, contents = fwm()
    story = (
        "Mary went to the kitchen. Where is Mary? John got the milk there.\n"
        "Where is the milk? garden. Where is John?"
    )
    asked = filled_page(contents).ask("read", story)
    right = answered(copy.deepcopy(model).double(), VOCABULARY, story)
    assert [question["answer"] for question in asked] == [each.answer for each in right]
    for question, each in zip(asked, right, strict=True):
        assert float(tensor(question["logits"]).softmax(0).max()) == pytest.approx(each.probability)


@pytest.mark.parametrize("rule", ["delta", "sum"])
@pytest.mark.parametrize("combine", ["product", "joined"])
def test_a_memory_by_hand_is_the_librarys(
    rule: str, combine: str, memory_page: Any, opened: Any
) -> None:
    """Words are rows of an identity; the page divides by ‖k‖², which the library has in the strength."""
    facts = [("a", "x", "1"), ("a", "y", "2"), ("b", "x", "3"), ("b", "y", "1"), ("a", "x", "2")]
    given = [dict(zip(("who", "what", "value"), fact, strict=True)) for fact in facts]
    found = opened(memory_page).ask(
        "fill", given, combine, {"rule": rule, "strength": 0.7, "passes": 2}
    )
    words = [list(dict.fromkeys(column)) for column in zip(*facts, strict=True)]
    parts = [
        torch.eye(len(known), dtype=torch.float64)[[known.index(word) for word in column]].repeat(
            2, 1
        )
        for known, column in zip(words, zip(*facts, strict=True), strict=True)
    ]
    norm = 1 if combine == "product" else 2
    _, F = delta_memory(
        (parts[0][None], parts[1][None]),
        parts[2][None],
        torch.full((1, len(facts) * 2), 0.7 / norm, dtype=torch.float64),
        rule="delta" if rule == "delta" else "hebbian",
        combine="product" if combine == "product" else "concat",
    )
    torch.testing.assert_close(tensor(found["F"]), F.flatten(), rtol=0, atol=1e-12)
