"""A trained model is tested on what is drawn from a seed that its training has not; the error of a mean of episodes."""

import math
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from fastweights import models, training
from fastweights.experiments import actor_critic
from fastweights.experiments.experiment import Evaluation
from fastweights.experiments.retrieval import RETRIEVAL, predict
from fastweights.experiments.retrieval.options import RetrievalOptions
from fastweights.tasks import Catch
from fastweights.training import Outcome


def test_a_run_of_retrieval_is_tested_with_a_seed_of_its_own(monkeypatch):
    seeds = []

    def measure(_model, _task, _samples, seed):
        seeds.append(seed)
        return Evaluation({}, [])

    monkeypatch.setattr(predict, "measure", measure)
    plan = RETRIEVAL.plan(RetrievalOptions(hidden=4, seed=3))
    outcome = Outcome(0, 0.0, 0.0, {"accuracy": 1.0}, [], False)
    predict.evaluate(models.from_config(plan.model_config()), plan, outcome)
    assert seeds == [predict.TEST_SEED + 3] and predict.TEST_SEED > 10**6


def test_episodes_of_a_test_have_a_seed_of_their_own_and_the_error_of_their_mean(monkeypatch):
    seeds, rewards = [], torch.tensor([[1.0, 0.0], [2.0, 2.0], [0.0, 0.0]])

    def play(_model, _task, _episodes, generator, **_options):
        seeds.append(generator.initial_seed())
        return SimpleNamespace(rewards=rewards)

    monkeypatch.setattr(training, "play", play)
    found = actor_critic.measure(torch.nn.Linear(1, 1), Catch(), 3, 5)
    assert seeds == [actor_critic.TEST_SEED + 5] and actor_critic.TEST_SEED > 10**6
    mean = (1 + 4 + 0) / 3
    sd = math.sqrt(((1 - mean) ** 2 + (4 - mean) ** 2 + mean**2) / 3)
    assert found["test_reward"] == pytest.approx(mean, rel=1e-12)
    assert found["test_reward_error"] == pytest.approx(sd / math.sqrt(3))


def test_a_test_of_retrieval_tells_how_many_sequences_are_done(monkeypatch):
    told = []

    @contextmanager
    def progress_bar(*_words):
        yield told.append

    monkeypatch.setattr(predict, "progress_bar", progress_bar)
    plan = RETRIEVAL.plan(RetrievalOptions(hidden=4))
    predict.measure(models.from_config(plan.model_config()), plan.task(), 2500, 0)
    assert told == [2000, 2500]
