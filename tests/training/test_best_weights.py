"""What a run is remembered for, when it is evaluated, and in which precision it runs."""

import pytest
import torch
from corpora import CLASSES, Babble
from regression import Regression, Stop, network, recipe
from torch import nn

from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.training import Schedule, Settings, Words, fit
from fastweights.training.engine.best_weights import BestWeights


class Rising(Regression):
    """A source whose readings are best after 14 steps."""

    def evaluate(self, model):
        return {"error": float(abs(self.step - 14))}


def test_the_best_weights_are_given_and_the_last_go_on(run, tmp_path):
    model = network()
    constant = {"schedule": Schedule(5)}
    fit(model, Rising(), recipe(30, keep="error", **constant), run)
    best, last = network(), network()
    fit(best, Rising(), recipe(14, **constant), Run.create(tmp_path / "best", {}))
    fit(last, Rising(), recipe(30, **constant), Run.create(tmp_path / "last", {}))
    tensors = run.load_checkpoint().tensors
    for name, tensor in best.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)
        assert torch.equal(tensors[f"model.{name}"], tensor)
        assert torch.equal(tensors[f"trained.{name}"], last.state_dict()[name])
    assert not torch.equal(best[0].weight, last[0].weight)


def test_of_equal_readings_the_first_is_kept():
    kept, model = BestWeights("error"), network()
    kept.observe(1, {"error": 0.5}, model)
    first = kept.weights
    for reading in (0.5, 0.75):
        kept.observe(2, {"error": reading}, model)
        assert kept.weights is first
    kept.observe(3, {"error": 0.25}, model)
    assert kept.weights is not first and kept.best == 0.25


def test_what_comes_back_is_a_copy():
    """What was read lies in the file's buffer."""
    kept, model = BestWeights("error"), network()
    read = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    kept.restore(0.5, (1, 2), read, model)
    for tensor in read.values():
        tensor.fill_(9)
    assert (kept.best, kept.step, kept.latest) == (0.5, 1, 2)
    for name, tensor in model.state_dict().items():
        assert torch.equal(kept.weights[name], tensor)


def test_without_them_a_checkpoint_holds_the_weights_once(run):
    fit(network(), Regression(), recipe(5), run)
    assert not any(name.startswith("trained") for name in run.load_checkpoint().tensors)


def test_a_metric_that_is_not_there_is_told_at_once(run):
    with pytest.raises(UserError, match="unknown metric 'eror'; did you mean 'error'"):
        fit(network(), Regression(), recipe(5, keep="eror"), run)


def test_evaluations_come_when_they_are_appointed_and_at_the_end(run):
    fit(network(), Regression(), recipe(17, evaluations=(3, 4, 11, 40)), run)
    assert [row["step"] for row in run.metrics()] == [0, 3, 4, 11, 17]


def test_a_run_goes_on_with_more_evaluations_but_not_with_others(run):
    def going_on(steps, *evaluations):
        settings = recipe(steps, schedule=Schedule(5), evaluations=evaluations)
        return fit(network(), Regression(), settings, run)

    going_on(11, 4, 11)
    going_on(15, 4, 11, 15)
    assert [row["step"] for row in run.metrics()] == [0, 4, 11, 15]
    assert going_on(4, 4).steps == 15  # fewer epochs than are done: nothing is left to do
    for others in ((4, 12, 20), (20,), ()):
        with pytest.raises(UserError, match="another evaluations"):
            going_on(20, *others)
    with pytest.raises(UserError, match="another evaluations"):
        fit(network(), Regression(), recipe(20, schedule=Schedule(5)), run)


class Typed(nn.Module):
    """A language model that notes the types it meets."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.embedding, self.mix = nn.Embedding(CLASSES, 5), nn.Linear(11, 6)
        self.head = nn.Linear(6, CLASSES)
        self.types = set()

    def forward(self, tokens, state=None):
        hidden = torch.zeros(len(tokens), 6) if state is None else state[0]
        self.types.add(("state", hidden.dtype))
        outputs = []
        for x in self.embedding(tokens).unbind(1):
            hidden = torch.tanh(self.mix(torch.cat([x, hidden], 1)))
            outputs.append(hidden)
        logits = self.head(torch.stack(outputs, 1))
        self.types.add(("logits", logits.dtype))
        return logits, (hidden,)


def test_bfloat16_runs_the_forward_pass_and_nothing_else(run, tmp_path):
    losses = {}
    for precision in ("float32", "bfloat16"):
        model, source = Typed(), Words(Babble(), batch=4, length=15)
        settings = Settings(6, evaluation_interval=3, precision=precision)
        folder = Run.create(tmp_path / precision, {})
        fit(model, source, settings, folder)
        losses[precision] = torch.tensor([row["train_loss"] for row in folder.metrics()[1:]])
        narrow = getattr(torch, precision)
        assert model.types == {("state", torch.float32), ("logits", narrow)}
        for name, tensor in folder.load_checkpoint().tensors.items():
            if not name.startswith("random"):
                assert tensor.dtype == torch.float32, name
        assert all(part.dtype == torch.float32 for part in source.carried)
    assert not torch.equal(*losses.values())
    torch.testing.assert_close(*losses.values(), rtol=1e-2, atol=0)


def test_precision_is_part_of_what_a_run_is(run):
    source = Regression()
    fit(network(), source, recipe(9), run, stop=Stop(source, 3))
    with pytest.raises(UserError, match="another precision"):
        fit(network(), Regression(), recipe(9, precision="bfloat16"), run)


@pytest.mark.parametrize(
    "wrong", [{"evaluations": (3, 3)}, {"evaluations": (0, 3)}, {"precision": "float16"}]
)
def test_what_cannot_be_is_one_clear_line(wrong):
    with pytest.raises(UserError) as caught:
        Settings(5, **wrong)
    assert "\n" not in str(caught.value)


class Falling(Regression):
    """A source whose readings are best at the start."""

    def evaluate(self, model):
        return {"error": float(self.step)}


def test_where_only_the_start_was_evaluated_the_newest_weights_are_used(run, tmp_path):
    source = Falling()
    model, settings = network(), recipe(30, keep="error", evaluation_interval=10)
    fit(model, source, settings, run, stop=Stop(source, 7))
    found = run.load_checkpoint()
    newest, start = model.state_dict(), network().state_dict()
    assert found.step == 7 and found.meta["weights"] == 7
    for name, tensor in newest.items():
        assert torch.equal(found.tensors[f"model.{name}"], tensor)
        assert torch.equal(found.tensors[f"best.{name}"], start[name])
    whole = Run.create(tmp_path / "whole", {})
    for each, folder in ((network(), run), (network(), whole)):
        fit(each, Falling(), settings, folder)
        for name, tensor in start.items():  # chosen by now among several
            assert torch.equal(each.state_dict()[name], tensor)
    ours, theirs = run.load_checkpoint(), whole.load_checkpoint()
    assert ours.tensors.keys() == theirs.tensors.keys() and ours.meta["weights"] == 0
    assert all(torch.equal(ours.tensors[name], theirs.tensors[name]) for name in theirs.tensors)
