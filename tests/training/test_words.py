"""Texts read epoch by epoch: what is predicted when, what is carried, and resuming in the middle."""

import time

import pytest
import torch
import torch.nn.functional as F
from corpora import CLASSES, Babble
from regression import timeless
from texts import network
from torch import nn

from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.training import Settings, Words, evaluate_words, fit, perplexity

ROWS = 4


def lstm():
    return network("lstm", backend="torch")


def fwm():
    return network("fwm-lstm", memory_size=2, reads=1, backend="reference")


class Spy(nn.Module):
    """Notes what it is given; every state counts the words since the zero state."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(1, CLASSES)
        self.read = []

    def forward(self, tokens, state=None):
        past = torch.zeros(len(tokens), 1) if state is None else state[0]
        self.read.append((tokens.clone(), int(past[0])))
        steps = past + torch.arange(1.0, tokens.shape[1] + 1)
        return self.head(steps[..., None] / 100), (past + tokens.shape[1],)


class Plain(nn.Module):
    """A model of the user's own that draws random numbers while it trains."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.embedding, self.head = nn.Embedding(CLASSES, 5), nn.Linear(6, CLASSES)
        self.lstm = nn.LSTM(5, 6, batch_first=True)

    def forward(self, tokens, state=None):
        y, state = self.lstm(F.dropout(self.embedding(tokens), 0.5, self.training), state)
        return self.head(y), state


@pytest.mark.parametrize("vary", [True, False])
@pytest.mark.parametrize("train", [403, 4 * 31])  # of the second, one step is left over
def test_an_epoch_reads_every_row_from_its_start_and_predicts_every_token_once(vary, train):
    source, model = Words(Babble(train), batch=ROWS, length=15, vary=vary), Spy()
    steps = train // ROWS
    text = Babble(train).split("train")[: ROWS * steps].view(ROWS, steps)
    ends = source.steps(3)
    for epoch, count in enumerate([ends[0], ends[1] - ends[0], ends[2] - ends[1]]):
        model.read.clear()
        losses = [source.next_loss(model)[0] * source.rate_factor for _ in range(count)]
        read = torch.cat([tokens for tokens, _ in model.read], 1)
        assert torch.equal(read, text[:, :-1]), epoch
        lengths = [tokens.shape[1] for tokens, _ in model.read]
        assert [past for _, past in model.read] == [sum(lengths[:i]) for i in range(count)]
        logits, _ = model(text[:, :-1])
        whole = F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())
        torch.testing.assert_close(sum(losses) * 15 / (steps - 1), whole)


def test_gradients_stop_at_the_segment_and_the_rate_follows_its_length():
    source, model = Words(Babble(), batch=ROWS, length=15, seed=2), Spy()
    for _ in range(8):
        source.next_loss(model)
        assert not source.carried[0].requires_grad
        assert source.rate_factor == model.read[-1][0].shape[1] / 15


def test_the_ends_of_many_epochs_are_known_in_no_time():
    source = Words(Babble(929_589), batch=20)
    began = time.process_time()
    ends = source.steps(900)
    assert time.process_time() - began < 10  # a loop over the segments takes far longer
    assert ends[:3] == source.steps(3) and 650 * 900 < ends[-1] < 690 * 900


def test_rows_are_independent_of_each_other():
    """The loss of a batch is the mean of its rows', each read on its own."""
    whole, alone = Words(Babble(400), batch=ROWS, length=20), []
    model = lstm()
    for row in Babble(400).split("train").split(100):

        class Row(Babble):
            def split(self, name, row=row):
                return row if name == "train" else super().split(name)

        alone.append(Words(Row(), batch=1, length=20))
    for _ in range(6):
        loss, metrics = whole.next_loss(model)
        each = [source.next_loss(model)[0] for source in alone]
        torch.testing.assert_close(loss, torch.stack(each).mean())
        assert torch.equal(metrics["cross_entropy"], loss.detach())


def test_a_loss_of_the_layers_is_added():
    model = lstm()
    model.backbone.auxiliary_loss = torch.tensor(2.0)
    plain, metrics = Words(Babble(), batch=ROWS, auxiliary=0.0).next_loss(model)
    assert list(metrics) == ["cross_entropy"]
    with_it, metrics = Words(Babble(), batch=ROWS, auxiliary=0.5).next_loss(model)
    torch.testing.assert_close(with_it, plain + 1.0)
    torch.testing.assert_close(metrics["cross_entropy"], plain.detach())
    assert metrics["auxiliary"] == 2.0


def test_evaluation_is_that_of_the_validation_text_and_leaves_training_alone():
    text = Babble(valid=301)
    model, source = lstm(), Words(text, batch=ROWS, validation_rows=3)
    source.next_loss(model)
    carried = source.carried
    found = source.evaluate(model)
    expected = evaluate_words(model, text.split("valid"), rows=3)[1.0]
    assert found == {
        "validation_cross_entropy": expected,
        "validation_perplexity": perplexity(expected),
    }
    assert source.carried is carried and model.training


@pytest.mark.parametrize("make", [lstm, fwm, Plain])
def test_stopped_and_resumed_equals_uninterrupted(tmp_path, make):
    """Within an epoch, at its end and after the first segment of the next one."""

    def source():
        return Words(Babble(130), batch=ROWS, length=15, seed=1)

    first, last = source().steps(2)
    settings = Settings(steps=last + 1, evaluation_interval=2)
    whole, whole_model = Run.create(tmp_path / "whole", {}), make()
    fit(whole_model, source(), settings, whole)
    for stop in (1, first, first + 1, last):
        cut, count = Run.create(tmp_path / f"cut-{stop}", {}), iter(range(1, 100))
        fit(make(), source(), settings, cut, stop=lambda c=count, s=stop: next(c) > s)
        assert cut.load_checkpoint().step == stop
        model = make()
        fit(model, source(), settings, cut)
        assert timeless(cut.metrics()) == timeless(whole.metrics())
        for name, tensor in whole_model.state_dict().items():
            assert torch.equal(model.state_dict()[name], tensor), (name, stop)
        ours, theirs = cut.load_checkpoint(), whole.load_checkpoint()
        assert ours.meta["source"] == theirs.meta["source"]
        for name, tensor in ours.tensors.items():
            assert torch.equal(tensor, theirs.tensors[name]), (name, stop)


@pytest.mark.parametrize(
    "wrong",
    [{"batch": 0}, {"length": 0}, {"validation_rows": 0}, {"batch": 300}],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(UserError) as caught:
        Words(Babble(), **wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_part_that_tells_nothing_is_refused_at_once(part):
    class Short(Babble):
        def split(self, name):
            return super().split(name)[: 1 if name == part else None]

    with pytest.raises(UserError, match=f"the {part} part of the text has 1 tokens"):
        Words(Short())
