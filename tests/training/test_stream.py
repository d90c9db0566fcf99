"""Streams: carried state, what the loss is over, evaluation, and resuming in the middle of a text."""

import pytest
import torch
import torch.nn.functional as F
from regression import timeless
from texts import MARK, WORDS, Hits, Noise, fwm, segment_at
from torch import nn

from fastweights import models
from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.training import Settings, Stream, evaluate_stream, fit


class Plain(nn.Module):
    """A model of the user's own: nothing but `y, state = model(x, state)`."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.embedding, self.head = nn.Embedding(WORDS, 5), nn.Linear(6, WORDS)
        self.lstm = nn.LSTM(5, 6, batch_first=True)

    def forward(self, tokens, state=None):
        y, state = self.lstm(self.embedding(tokens), state)
        return self.head(y), state


class Dropped(Plain):
    """One that draws random numbers while it trains."""

    def forward(self, tokens, state=None):
        y, state = self.lstm(F.dropout(self.embedding(tokens), 0.5, self.training), state)
        return self.head(y), state


@pytest.mark.parametrize("mode", ["qa", "lm"])
@pytest.mark.parametrize("make", [fwm, Plain])
def test_segments_add_up_to_the_loss_of_the_whole_text(mode, make):
    model, task = make(), Noise()
    source = Stream(task, batch=3, length=20, mode=mode, seed=1)
    segments = [source.next_loss(model) for _ in range(4)]
    whole = segment_at(source.rows.text, 0, 80)
    logits, _ = model(whole.tokens)
    chosen = whole.answers if mode == "qa" else whole.mask
    loss = F.cross_entropy(logits[chosen], whole.targets[chosen], reduction="sum")
    counts = [int(chosen[:, start : start + 20].sum()) for start in range(0, 80, 20)]
    total = sum(loss * count for (loss, _), count in zip(segments, counts, strict=True))
    torch.testing.assert_close(total, loss, rtol=1e-5, atol=1e-5)
    right = (logits.argmax(-1) == whole.targets)[whole.answers].float().mean()
    asked = [int(whole.answers[:, start : start + 20].sum()) for start in range(0, 80, 20)]
    ours = sum(m["accuracy"] * n for (_, m), n in zip(segments, asked, strict=True)) / sum(asked)
    torch.testing.assert_close(ours, right)


def test_an_answer_counts_as_several_steps():
    model, task = fwm(), Noise()
    source = Stream(task, batch=3, length=20, mode="lm", answer_weight=2.5, seed=1)
    loss, _ = source.next_loss(model)
    text = segment_at(source.rows.text, 0, 20)
    each = F.cross_entropy(model(text.tokens)[0].mT, text.targets, reduction="none")
    weight = torch.where(text.answers, 2.5, 1.0)
    torch.testing.assert_close(loss, (weight * each).sum() / weight.sum())


def test_gradients_stop_at_the_segment():
    model = fwm()
    source = Stream(Noise(), batch=2, length=10, seed=1)
    source.next_loss(model)
    assert not any(tensor.requires_grad for tensor in source.carried)


@pytest.mark.parametrize("length", [10, 30])
def test_evaluation_carries_its_state_and_leaves_training_alone(length):
    model = fwm()
    source = Stream(Noise(), batch=3, length=length, validation_rows=4, seed=1)
    source.next_loss(model)
    carried, place = source.carried, source.rows.place
    found = source.evaluate(model)
    assert source.carried is carried and source.rows.place == place and model.training
    text = Noise().text(4, 7)
    logits, _ = model.eval()(text[:, :60])
    asked = text[:, :60] == MARK
    right = (logits.argmax(-1) == text[:, 1:61])[asked].float().mean()
    assert found["answers"] == asked.sum() and found["accuracy"] == pytest.approx(float(right))


def test_evaluation_from_the_state_of_row_0():
    model = fwm()
    source = Stream(Noise(), batch=3, length=30, validation_rows=4, seed=1, start="row")
    before = source.evaluate(model)
    source.next_loss(model)
    start = type(source.carried)(*(part[:1].expand(4, *part.shape[1:]) for part in source.carried))
    expected = evaluate_stream(model, Hits(), Noise().segments("valid", 4, 30), state=start)
    assert source.evaluate(model) == expected
    assert before == evaluate_stream(model, Hits(), Noise().segments("valid", 4, 30))


def test_a_limit_of_segments():
    found = Stream(Noise(), length=20, validation_rows=4, validation_segments=2).evaluate(fwm())
    assert found["answers"] == (Noise().text(4, 7)[:, :40] == MARK).sum()


def tied():
    """One matrix for embedding and softmax, all dropouts on."""
    torch.manual_seed(3)
    sizes = {"input": WORDS, "hidden": 6, "classes": WORDS, "embedding": 5}
    options = {"memory_size": 3, "backend": "reference"}
    return models.from_config(
        models.model_config("awd-fwm", **sizes, tied=True, word_dropout=0.1, options=options)
    )


@pytest.mark.parametrize("make", [fwm, Plain, Dropped, tied])
@pytest.mark.parametrize("stop", [1, 4])
def test_stopped_and_resumed_equals_uninterrupted(tmp_path, make, stop):
    settings = Settings(steps=8, evaluation_interval=2)

    def source():
        return Stream(Noise(), batch=3, length=10, validation_rows=4, seed=1)

    whole, whole_model = Run.create(tmp_path / "whole", {}), make()
    fit(whole_model, source(), settings, whole)
    cut, model = Run.create(tmp_path / "cut", {}), make()
    count = iter(range(100))
    assert fit(model, source(), settings, cut, stop=lambda: next(count) >= stop).interrupted
    model = make()
    fit(model, source(), settings, cut)
    assert timeless(cut.metrics()) == timeless(whole.metrics())
    for name, tensor in whole_model.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    theirs = whole.load_checkpoint().tensors
    for name, tensor in cut.load_checkpoint().tensors.items():
        assert torch.equal(tensor, theirs[name]), name


def test_a_run_that_ended_at_its_time_goes_on_with_more(tmp_path):
    run, model = Run.create(tmp_path / "run", {}), fwm()
    source = Stream(Noise(), batch=3, length=2, validation_rows=4, seed=1)
    outcome = fit(model, source, Settings(steps=10**6, seconds=1e-9), run)
    assert outcome.steps == 1 and not outcome.interrupted
    assert [row["step"] for row in run.metrics()] == [0, 1]
    again = fit(model, source, Settings(steps=10**6, seconds=1e-9), run)
    assert again.steps == 1 and not again.interrupted
    more = fit(model, source, Settings(steps=10**6, seconds=0.2), run)
    assert 1 < more.steps < 10**6 and more.seconds >= 0.2


def test_a_loss_of_the_backbone_is_added():
    model = fwm()
    plain, _ = Stream(Noise(), batch=3, length=20, seed=1, auxiliary=0.5).next_loss(model)
    model.backbone.auxiliary_loss = torch.tensor(2.0)
    with_it, metrics = Stream(Noise(), batch=3, length=20, seed=1, auxiliary=0.5).next_loss(model)
    torch.testing.assert_close(with_it, plain + 1.0)
    assert metrics["auxiliary"] == 2.0
    torch.testing.assert_close(metrics["cross_entropy"], plain.detach())


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 0},
        {"length": 0},
        {"validation_segments": 0},
        {"mode": "both"},
        {"mode": "qa", "answer_weight": 2.0},
        {"mode": "lm", "answer_weight": 0.0},
        {"mode": "lm", "answer_weight": float("nan")},
    ],
)
def test_what_cannot_be_is_refused(wrong, unchecked):
    with pytest.raises(UserError):
        Stream(Noise(), **wrong)
