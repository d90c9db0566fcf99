"""The source of sequences with answers at some steps: losses by hand, rows on their own, resumed in the same place."""

import pytest
import torch
import torch.nn.functional as F

from fastweights import models, tasks
from fastweights.errors import UserError
from fastweights.training import Answers, score

TASK = tasks.MQAR(2, length=10, vocabulary=12)


def build(task=TASK, name="lstm", **options):
    torch.manual_seed(0)
    inputs = {"input": task.features, "inputs": "vectors"}
    if task.vocabulary:
        inputs = {"input": task.vocabulary, "embedding": 5}
    return models.from_config(
        models.model_config(name, hidden=6, classes=task.classes, convolution=3, options=options, **inputs)
    )  # fmt: skip


def test_the_loss_is_the_mean_over_what_is_asked():
    model = build()
    loss, metrics = Answers(TASK, batch=4, seed=3).next_loss(model)
    batch = next(Answers(TASK, batch=4, seed=3).batches)
    logits, _ = model(batch.tokens)
    expected = F.cross_entropy(logits[batch.asked], batch.answer[batch.asked])
    torch.testing.assert_close(loss, expected)
    right = (logits.argmax(-1) == batch.answer)[batch.asked].double().mean()
    assert float(metrics["accuracy"]) == float(right)


def test_a_squared_error_is_one():
    task = tasks.InContextRegression(4)
    model, source = build(task), Answers(task, batch=4)
    loss, metrics = source.next_loss(model)
    assert float(metrics["squared_error"]) == pytest.approx(float(loss.detach()))
    assert sorted(source.evaluate(model)) == ["squared_error"]


@pytest.mark.parametrize("name", ["deltanet", "fast-weights", "fwm", "lstm"])
def test_scores_of_rows_do_not_depend_on_each_other(name):
    model = build(name=name)
    batch = TASK.sample(7, torch.Generator().manual_seed(1))
    model.train()
    whole = score(model, TASK, batch)
    assert model.training
    parts = score(model, TASK, batch, rows=2)
    one = score(model, TASK, type(batch)(*(field[4:5] for field in batch)))
    torch.testing.assert_close(whole.losses, parts.losses)
    torch.testing.assert_close(whole.losses.view(7, 2)[4], one.losses)
    assert torch.equal(whole.scores.view(7, 2)[4], one.scores)


def drawn(source, count):
    return [next(source.batches) for _ in range(count)]


def test_training_evaluation_and_seeds_are_kept_apart():
    task = tasks.MQAR(4, length=32)
    first, other = (Answers(task, batch=8, seed=seed, validation_samples=512) for seed in (0, 1))
    seen = {tuple(row) for batch in drawn(first, 70) for row in batch.tokens.tolist()}
    assert len(seen) == 560
    for source in (first, other):
        assert not seen & {tuple(row) for row in source.validation.tokens.tolist()}
    assert not seen & {tuple(row) for batch in drawn(other, 3) for row in batch.tokens.tolist()}


def test_a_fixed_set_comes_again_in_another_order():
    source = Answers(tasks.MAD("memorisation"), batch=4, train_samples=8)
    epochs = [drawn(source, 2) for _ in range(6)]
    rows = [[tuple(row) for batch in epoch for row in batch.tokens.tolist()] for epoch in epochs]
    assert all(sorted(epoch) == sorted(rows[0]) for epoch in rows)
    assert any(epoch != rows[0] for epoch in rows)
    with pytest.raises(UserError, match="do not fill a batch"):
        Answers(TASK, batch=4, train_samples=3)
    with pytest.raises(UserError, match="validation_samples must be at least 1"):
        Answers(TASK, validation_samples=0)


@pytest.mark.parametrize("train_samples", [None, 20])
def test_it_goes_on_where_it_was(train_samples):
    source, again = (Answers(TASK, batch=3, train_samples=train_samples) for _ in range(2))
    drawn(source, 70)
    again.restore(*source.state())
    for one, two in zip(drawn(source, 5), drawn(again, 5), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
