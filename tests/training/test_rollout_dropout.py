"""Agents with dropout, and agents with an objective of their own: one policy acts and learns; nothing is left out."""

from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from worlds import Recall, agent, model_of

from fastweights.nn.parts.mode import without_dropout
from fastweights.training import Rollout, Supervised
from fastweights.training.sources.episodes import play
from fastweights.training.sources.rollout import actor_critic

DROPPING = {
    "transformer-xl": {"layers": 2, "heads": 2, "memory_length": 6, "dropout": 0.3},
    "awd-lstm": {"layers": 2, "backend": "torch"},
    "awd-fwm": {"layers": 2, "memory_size": 3, "backend": "chunked"},
    "awd-txl": {"layers": 2, "heads": 2, "memory_length": 6},
    "residual-lstm": {"recurrent_dropout": 0.5, "hidden_dropout": 0.3, "backend": "torch"},
    "lstm": {"recurrent_dropout": 0.5, "backend": "torch"},
}
OF_THEIR_OWN = {
    "mnm": {"memory_size": 4, "heads": 2},
    "awd-lstm": {**DROPPING["awd-lstm"], "activation": 3.0},
}


def memory_error(memory: Any, inputs):
    """The mean squared error of reading back what was just written."""
    return memory._recur(inputs, None, None).error.mean()


def rollout(**changes):
    return Rollout(Recall(), agents=8, test_agents=20, seed=1, **changes)


@pytest.mark.parametrize("name", DROPPING)
def test_the_policy_that_acts_is_the_one_that_learns(name, monkeypatch):
    model, acted, learned = model_of(name, DROPPING[name], embedding=5), [], []
    prepare = model.stepper

    def listening(agents, time):
        act = prepare(agents, time)

        def recorded(seen):
            acted.append(act(seen).clone())
            return acted[-1]

        return recorded

    monkeypatch.setattr(model, "stepper", listening)
    model.register_forward_hook(lambda _module, _given, output: learned.append(output[0]))
    loss, _ = rollout().next_loss(model)
    torch.testing.assert_close(torch.stack(acted, 1), learned[0].detach(), rtol=1e-5, atol=1e-5)
    loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())
    assert any((weight.grad != 0).any() for weight in model.backbone.parameters())
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("name", DROPPING)
def test_an_update_follows_from_its_number_alone(name):
    losses = []
    for seed in (1, 2):
        model = model_of(name, DROPPING[name])
        torch.manual_seed(seed)
        losses.append(rollout().next_loss(model)[0].item())
    assert losses[0] == losses[1]


@pytest.mark.parametrize("training", [True, False])
def test_every_module_is_left_in_the_mode_it_was_in(training):
    model = model_of("awd-lstm", DROPPING["awd-lstm"]).train(training)
    model.backbone.train(not training)
    before = [module.training for module in model.modules()]
    source = rollout()
    source.next_loss(model)
    source.evaluate(model)
    with pytest.raises(ZeroDivisionError), without_dropout(model):
        raise ZeroDivisionError
    assert [module.training for module in model.modules()] == before


def test_what_cudnn_has_no_backward_for_outside_training_stays_in_it():
    """Where the module of `torch.nn` has no dropout of its own."""
    inner = torch.nn.LSTM(3, 3)
    model = torch.nn.ModuleList([inner, torch.nn.LSTM(3, 3, 2, dropout=0.5), torch.nn.Dropout()])
    with without_dropout(model):
        assert [module.training for module in model] == [True, False, False]


@pytest.mark.parametrize("name", OF_THEIR_OWN)
@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_what_layers_have_of_their_own_is_in_the_loss_of_agents(name, weight):
    """For `mnm` the memory's error written out; for `awd-lstm` the squares of what nothing was dropped from."""
    model, source = model_of(name, OF_THEIR_OWN[name]), rollout(auxiliary=weight)
    loss, metrics = source.next_loss(model)
    episode = play(model, source.task, 8, source._generator("episode 0"))
    model.eval()
    output, _ = model(episode.observations)
    parts = actor_critic(output, episode.actions, episode.rewards, discount=0.9)
    plain = parts.policy + 0.1 * parts.value - 0.03 * parts.entropy
    if name == "mnm":
        own = memory_error(model.backbone, episode.observations)
    else:
        y, _ = model.backbone(episode.observations)
        own = 3 * y.square().mean() + (y[:, 1:] - y[:, :-1]).square().mean()
    torch.testing.assert_close(loss, plain + weight * own)
    assert ("auxiliary" in metrics) == (weight > 0)
    if weight:
        torch.testing.assert_close(metrics["auxiliary"], own.detach())


def test_agents_without_an_objective_of_their_own_have_no_such_metric():
    assert set(rollout().next_loss(agent("lstm"))[1]) == {"reward", "entropy", "value_loss"}


class Shown(NamedTuple):
    cue: torch.Tensor
    answer: torch.Tensor


class Cues:
    """Which cue was shown first."""

    def sample(self, count, generator):
        cue = torch.randint(Recall.actions, (count, 4), generator=generator)
        return Shown(cue, cue[:, 0])

    def inputs(self, examples):
        return F.one_hot(examples.cue, Recall.features).float()

    def metrics(self, logits, examples):
        return {"accuracy": float((logits.argmax(1) == examples.answer).float().mean())}


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_what_layers_have_of_their_own_is_in_the_loss_of_classifiers(weight):
    model = model_of("mnm", OF_THEIR_OWN["mnm"])
    loss, metrics = Supervised(Cues(), batch=8, auxiliary=weight).next_loss(model)
    examples = next(Supervised(Cues(), batch=8).batches)
    inputs = Cues().inputs(examples)
    entropy = F.cross_entropy(model(inputs, last_only=True)[0], examples.answer)
    own = memory_error(model.backbone, inputs)
    torch.testing.assert_close(loss, entropy + weight * own)
    assert set(metrics) == {"accuracy", *(("cross_entropy", "auxiliary") if weight else ())}
    plain = Supervised(Cues(), batch=8).next_loss(model_of("irnn", {}))
    assert set(plain[1]) == {"accuracy"}
