from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from regression import timeless
from torch import Tensor, nn

from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.training import Optimiser, Settings, Supervised, evaluate, fit
from fastweights.training.sources.batches import Batches, Stage, epochs, fresh
from fastweights.training.sources.supervised import answers
from rounding import assert_equal_but_for_rounding


class Examples(NamedTuple):
    tokens: Tensor
    answer: Tensor


class First:
    """The answer is the first token; `shift` tells tasks of one kind apart."""

    def __init__(self, length=3, shift=0):
        self.length, self.shift = length, shift

    def sample(self, count, generator):
        tokens = torch.randint(4, (count, self.length), generator=generator)
        return Examples(tokens, (tokens[:, 0] + self.shift) % 4)

    def inputs(self, batch):
        return batch.tokens

    def metrics(self, logits, batch):
        return {"accuracy": float((logits.argmax(1) == batch.answer).double().mean())}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.table, self.head = nn.Embedding(4, 8), nn.Linear(8, 4)

    def forward(self, tokens, state=None, *, last_only, need_state):
        assert last_only and not need_state
        return self.head(self.table(tokens[:, 0])), None


def stream(draw, size=4, seed=0):
    return Batches(draw, size, torch.Generator().manual_seed(seed))


def take(batches, count):
    return [next(batches) for _ in range(count)]


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.tokens, other.tokens) and torch.equal(one.answer, other.answer)


DRAWS = {
    "fresh": lambda: fresh([Stage(0, First())], 4),
    "stages": lambda: fresh([Stage(0, First(2)), Stage(5, First(3)), Stage(90, First(4))], 4),
    "epochs": lambda: epochs(First().sample(30, torch.Generator().manual_seed(9)), 4),
}


@settings(max_examples=40)
@given(kind=st.sampled_from(sorted(DRAWS)), at=st.integers(0, 200), seed=st.integers(0, 3))
def test_a_stream_goes_on_from_its_state_with_the_very_next_batch(kind, at, seed):
    whole = take(stream(DRAWS[kind](), seed=seed), 210)
    cut = stream(DRAWS[kind](), seed=seed)
    take(cut, at)
    resumed = stream(DRAWS[kind](), seed=seed + 1)
    resumed.restore(*cut.state())
    assert_same(take(resumed, 210 - at), whole[at:])


def test_seeds_differ():
    one, other = (next(stream(DRAWS["fresh"](), 64, seed)) for seed in (0, 1))
    assert not torch.equal(one.tokens, other.tokens)


def test_fresh_batches_never_come_again():
    batches = take(stream(fresh([Stage(0, First(20))], 4)), 200)
    rows = {tuple(row) for batch in batches for row in batch.tokens.tolist()}
    assert len(rows) == 800


def test_stages_begin_at_their_steps():
    lengths = [batch.tokens.shape[1] for batch in take(stream(DRAWS["stages"]()), 100)]
    assert lengths == [2] * 5 + [3] * 85 + [4] * 10


def test_an_epoch_shows_each_example_once_in_a_new_order():
    examples = First(10).sample(32, torch.Generator().manual_seed(0))
    batches = stream(epochs(examples, 4))
    orders = []
    for _ in range(3):
        rows = torch.cat([batch.tokens for batch in take(batches, 8)]).tolist()
        assert sorted(rows) == sorted(examples.tokens.tolist())
        orders.append(rows)
    assert orders[0] != orders[1] != orders[2]


def test_batches_keep_examples_together():
    for batch in take(stream(DRAWS["epochs"]()), 20):
        assert torch.equal(batch.tokens[:, 0], batch.answer)


@pytest.mark.parametrize("starts", [[], [1], [0, 0], [0, 9, 5]])
def test_stages_out_of_order_are_one_clear_line(starts):
    with pytest.raises(UserError, match="rise from 0"):
        fresh([Stage(start, First()) for start in starts], 4)


def test_a_set_smaller_than_a_batch_is_one_clear_line():
    with pytest.raises(UserError, match="do not fill a batch of 64"):
        Supervised(First(), batch=64, fixed=True, train_size=63)


class Halves:
    """A data set divided for good: the answer is the first number of a vector, which `inputs` makes of an integer."""

    def split(self, name):
        count, start = {"train": (50, 0), "valid": (20, 50), "test": (9, 70)}[name]
        numbers = torch.arange(start, start + count)
        return Examples(numbers, numbers % 4)

    def inputs(self, examples):
        return torch.stack([examples.tokens % 4, examples.tokens], 1)

    metrics = First.metrics


def test_a_divided_task_is_trained_on_its_train_split_and_evaluated_on_its_validation_split():
    source = Supervised(Halves(), batch=10, probe_size=0)
    for _ in range(3):
        shown = torch.cat([batch.tokens for batch in take(source.batches, 5)])
        assert sorted(shown.tolist()) == list(range(50))
    assert source.validation.tokens.tolist() == list(range(50, 70))
    loss, metrics = source.next_loss(Model())
    batch = take(Supervised(Halves(), batch=10, probe_size=0).batches, 16)[-1]
    logits, _ = Model()(Halves().inputs(batch), last_only=True, need_state=False)
    torch.testing.assert_close(loss, F.cross_entropy(logits, batch.answer))
    assert metrics["accuracy"] == (logits.argmax(1) == batch.answer).float().mean()
    valid = source.validation
    logits, _ = Model()(Halves().inputs(valid), last_only=True, need_state=False)
    assert source.evaluate(Model()) == source.task.metrics(logits, valid)
    assert_equal_but_for_rounding(answers(Model(), source.task, valid, batch=7), logits)
    small = Supervised(Halves(), batch=4, train_size=5, validation_size=3)
    assert {int(n) for batch in take(small.batches, 20) for n in batch.tokens} == {0, 1, 2, 3, 4}
    assert len(small.validation.answer) == 3


@pytest.mark.parametrize("bad", [{"batch": 0}, {"validation_size": 0}, {"probe_size": -1}])
def test_sizes_that_cannot_be_are_one_clear_line(bad):
    with pytest.raises(UserError, match="at least"):
        Supervised(First(), **bad)


def test_the_loss_is_the_cross_entropy_and_the_accuracy_that_of_the_batch():
    model, source = Model(), Supervised(First(), batch=16)
    batch = next(Supervised(First(), batch=16).batches)
    loss, metrics = source.next_loss(model)
    logits, _ = model(batch.tokens, last_only=True, need_state=False)
    assert torch.equal(loss, F.cross_entropy(logits, batch.answer))
    right = sum(int(a == b) for a, b in zip(logits.argmax(1), batch.answer, strict=True))
    assert metrics["accuracy"].item() == right / 16


def test_evaluating_does_not_disturb_the_training_stream():
    model = Model()
    plain, looked = Supervised(First(), batch=4), Supervised(First(), batch=4)
    for _ in range(70):
        looked.evaluate(model)
        looked.probe(model)
        assert_same([next(plain.batches)], [next(looked.batches)])


def test_training_and_validation_examples_differ():
    source = Supervised(First(30), fixed=True, train_size=200, validation_size=200, batch=200)
    seen = {tuple(row) for row in next(source.batches).tokens.tolist()}
    assert not seen & {tuple(row) for row in source.validation.tokens.tolist()}


def test_the_task_evaluated_is_the_last_stages():
    last = First(3, shift=2)
    source = Supervised([(0, First(2)), (10, last)])
    assert source.validation.tokens.shape == (2000, 3)
    assert source.evaluate(Model()) == last.metrics(
        Model()(source.validation.tokens, last_only=True, need_state=False)[0], source.validation
    )


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_in_parts_equals_evaluation_at_once(training):
    model, task = Model().train(training), First()
    examples = task.sample(101, torch.Generator().manual_seed(0))
    assert evaluate(model, task, examples, batch=7) == evaluate(model, task, examples, batch=101)
    assert model.training == training


SOURCES = {
    "fresh": lambda: Supervised(First(), batch=8),
    "fixed": lambda: Supervised(First(), batch=8, fixed=True, train_size=100),
    "divided": lambda: Supervised(Halves(), batch=8),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_supervised_run_learns_and_resumes_to_the_bit(tmp_path, kind):
    source = SOURCES[kind]

    chosen = Settings(150, optimiser=Optimiser("adam", 0.05), evaluation_interval=40)
    whole, model = Run.create(tmp_path / "whole", {}), Model()
    outcome = fit(model, source(), chosen, whole)
    assert outcome.metrics["accuracy"] == 1.0
    cut = Run.create(tmp_path / "cut", {})
    polls = iter(range(1000))
    fit(Model(), source(), chosen, cut, stop=lambda: next(polls) >= 77)
    again = Model()
    fit(again, source(), chosen, cut)
    assert timeless(cut.metrics()) == timeless(whole.metrics())
    for weight, expected in zip(again.parameters(), model.parameters(), strict=True):
        assert torch.equal(weight, expected)
