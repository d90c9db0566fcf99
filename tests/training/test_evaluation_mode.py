"""A module that a user put into evaluation mode is still in it after every evaluation, while the others train on."""

import pytest
import torch
from corpora import Babble
from regression import Regression, network, recipe
from test_supervised import First, Model
from texts import Hits, Noise, fwm

from fastweights.training import evaluate, evaluate_stream, evaluate_words, fit


def supervised(model):
    task = First()
    evaluate(model, task, task.sample(9, torch.Generator()))


def stream(model):
    evaluate_stream(model, Hits(), Noise().segments("valid", 2, 20))


def words(model):
    evaluate_words(model, Babble().split("valid"))


@pytest.mark.parametrize(
    ("build", "measure"),
    [(Model, supervised), (fwm, stream), (fwm, words)],
    ids=("supervised", "stream", "words"),
)
@pytest.mark.parametrize("fails", [False, True])
def test_a_frozen_module_stays_frozen(build, measure, fails):
    model = build().train()
    next(model.children()).eval()
    before = [module.training for module in model.modules()]
    assert any(before) and not all(before)
    during = []

    def note(_module, _inputs):
        during.extend(module.training for module in model.modules())
        if fails:
            raise ZeroDivisionError

    with model.register_forward_pre_hook(note):
        if fails:
            with pytest.raises(ZeroDivisionError):
                measure(model)
        else:
            measure(model)
    assert during and not any(during)
    assert [module.training for module in model.modules()] == before


class Watched(Regression):
    """Notes the modes of a model's modules in training and in evaluation."""

    def __init__(self):
        super().__init__()
        self.modes = {"next_loss": [], "evaluate": []}

    def next_loss(self, model):
        self.modes["next_loss"].append([module.training for module in model])
        return super().next_loss(model)

    def evaluate(self, model):
        self.modes["evaluate"].append([module.training for module in model])
        if self.step == 7:
            raise ZeroDivisionError
        return super().evaluate(model)


def test_a_frozen_module_stays_frozen_while_a_model_is_fitted(run):
    model, source = network(), Watched()
    model[3].eval()
    modes = [module.training for module in model]
    with pytest.raises(ZeroDivisionError):
        fit(model, source, recipe(20, evaluation_interval=7), run)
    assert source.modes["next_loss"] == [modes] * 7
    assert source.modes["evaluate"] == [[False] * len(model)] * 2
    assert [module.training for module in model] == modes


def test_a_model_that_comes_in_evaluation_mode_is_trained_whole(run):
    model, source = network().eval(), Watched()
    fit(model, source, recipe(3), run)
    assert source.modes["next_loss"] == [[True] * len(model)] * 3
    assert all(module.training for module in model.modules())
