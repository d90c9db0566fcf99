"""A device or a dtype that the user makes the default decides nothing of what the library makes for itself."""

from contextlib import contextmanager

import pytest
import torch

from fastweights import models, tasks, training
from fastweights.tasks.metro_reference import expected_reward
from fastweights.tasks.symbols import encode

TEXT = torch.randint(8, (40,), generator=torch.Generator().manual_seed(0))

ACTIONS = torch.tensor([0, 1, 2])


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


DEFAULTS = {
    "device": lambda: torch.device("meta"),
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
}


def model(inputs="classes", *, input=8, classes=8):
    torch.manual_seed(0)
    config = models.model_config("lstm", input=input, hidden=4, classes=classes, inputs=inputs)
    return models.from_config(config)


def words(net):
    return training.evaluate_words(net, TEXT, rows=2, temperatures=(1.0, 1.5))


def score(net):
    found = tasks.Score((1, 2))
    found.add(net(TEXT[None])[0][0].detach(), TEXT, TEXT % 2 + 1)
    return found.metrics()


def rollout(net):
    """An update of agents; the task is made under the default too."""
    task = tasks.MetroMap(graphs=6, steps=4)
    source = training.Rollout(task, agents=6, test_agents=6)
    agent = model("vectors", input=task.features, classes=task.actions + 1) if net is None else net
    loss, metrics = source.next_loss(agent)
    return loss.detach(), metrics, source.evaluate(agent), task.chance("test")


def supervised(net):
    source = training.Supervised(tasks.Retrieval(pairs=2), batch=4, validation_size=8, probe_size=2)
    loss, metrics = source.next_loss(net)
    return loss.detach(), metrics, source.evaluate(net)


CASES = {
    "words": (words, lambda: model()),
    "score": (score, lambda: model()),
    "metro map": (rollout, lambda: model("vectors", input=17, classes=4)),
    "retrieval": (supervised, lambda: model(input=37, classes=10)),
    "catch": (
        lambda task: task.step(task.reset(3, torch.Generator())[1], ACTIONS, torch.Generator()),
        lambda: tasks.Catch(5, 2),
    ),
    "symbols": (lambda net: encode("b7??b", "paper"), lambda: None),
    "ceiling": (
        lambda maps: expected_reward(
            maps, steps=3, reward=1.0, penalty=0.1, goal_restarts_timer=False, best=True
        ),
        lambda: tasks.MetroMap(graphs=6).maps("test"),
    ),
}


@pytest.mark.parametrize("default", DEFAULTS)
@pytest.mark.parametrize("case", CASES)
def test_a_default_changes_nothing(case, default):
    run, given = CASES[case]
    wanted, net = run(given()), given()
    with DEFAULTS[default]():
        found = run(net)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)
