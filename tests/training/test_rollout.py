"""Rollouts: the learning pass against stepping with gradients, the loss against NumPy, resume, shares, evaluation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from regression import Stop, timeless
from worlds import BACKBONES, Recall, agent

from fastweights import state as states
from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.training import Optimiser, Rollout, Settings, fit
from fastweights.training.engine import seeds
from fastweights.training.sources.episodes import play
from fastweights.training.sources.rollout import Entropy, actor_critic

SETTINGS = Settings(steps=6, evaluation_interval=3, clip=1.0, optimiser=Optimiser("adam", 1e-2))


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


def rollout(task=None, **changes):
    return Rollout(task or Recall(), **{"agents": 8, "test_agents": 20, "seed": 1, **changes})


def loss_in_numpy(output, actions, rewards, gamma, trace, value_weight, entropy_weight, normalise):
    """The loss written out, agent by agent and step by step."""
    agents, time, width = output.shape
    policy, value, entropy, advantage = (np.zeros((agents, time)) for _ in range(4))
    for i in range(agents):
        returned, ahead, following = 0.0, 0.0, 0.0
        for t in reversed(range(time)):
            returned = rewards[i, t] + gamma * returned
            ahead = rewards[i, t] + gamma * following - output[i, t, -1] + gamma * trace * ahead
            following = output[i, t, -1]
            logits = output[i, t, : width - 1]
            probability = np.exp(logits) / np.exp(logits).sum()
            advantage[i, t] = ahead
            policy[i, t] = -np.log(probability[actions[i, t]])
            value[i, t] = (returned - output[i, t, -1]) ** 2
            if trace == 1:
                assert ahead == pytest.approx(returned - output[i, t, -1], rel=1e-9, abs=1e-12)
            entropy[i, t] = -(probability * np.log(probability)).sum()
    if normalise:
        advantage = (advantage - advantage.mean()) / advantage.std()
    step = policy * advantage + value_weight * value - entropy_weight * entropy
    return step.mean()


@pytest.mark.parametrize("name", BACKBONES)
def test_learning_in_one_pass_equals_stepping_with_gradients(name):
    """The very actions of the episode are taken again step by step, this time under autograd."""
    model, source = agent(name), rollout(trace_decay=0.7, normalise_advantage=True)
    loss, _ = source.next_loss(model)
    loss.backward()
    learned = [weight.grad for weight in model.parameters()]
    episode = play(model, source.task, 8, source._generator("episode 0"))
    observation, world = source.task.reset(8, source._generator("episode 0"))
    outputs, state = [], None
    for t, action in enumerate(episode.actions.unbind(1)):
        output, state = model.step(observation.double(), state)
        outputs.append(output)
        assert torch.equal(observation.double(), episode.observations[:, t])
        observation, reward, world = source.task.step(world, action, generator())
        assert torch.equal(reward.double(), episode.rewards[:, t])
    parts = actor_critic(
        torch.stack(outputs, 1),
        episode.actions,
        episode.rewards,
        discount=0.9,
        trace_decay=0.7,
        normalise_advantage=True,
    )
    stepped = parts.policy + 0.1 * parts.value - 0.03 * parts.entropy
    torch.testing.assert_close(loss, stepped, rtol=1e-9, atol=1e-12)
    grown = torch.autograd.grad(stepped, list(model.parameters()))
    for one, other in zip(learned, grown, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("normalise", [False, True])
@given(
    discount=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    trace_decay=st.sampled_from([0.0, 0.6, 1.0]),
    seed=st.integers(0, 99),
)
def test_the_loss_is_that_of_a_loop_over_agents_and_steps(normalise, discount, trace_decay, seed):
    model = agent()
    source = rollout(
        seed=seed,
        discount=discount,
        trace_decay=trace_decay,
        entropy_weight=0.2,
        normalise_advantage=normalise,
    )
    loss, metrics = source.next_loss(model)
    episode = play(model, source.task, 8, source._generator("episode 0"))
    output = model(episode.observations)[0].detach().numpy()
    rewards = episode.rewards.numpy()
    weights = discount, trace_decay, 0.1, 0.2
    expected = loss_in_numpy(output, episode.actions.numpy(), rewards, *weights, normalise)
    assert loss.item() == pytest.approx(expected, rel=1e-10)
    assert metrics["reward"].item() == pytest.approx(rewards.sum(1).mean())


def test_the_gradient_does_not_flow_through_the_advantage():
    output = torch.randn(4, 3, 4, dtype=torch.float64, requires_grad=True)
    actions = torch.randint(3, (4, 3))
    losses = actor_critic(output, actions, torch.randn(4, 3, dtype=torch.float64), discount=0.9)
    (gradient,) = torch.autograd.grad(losses.policy, output)
    assert (gradient[..., -1] == 0).all() and (gradient[..., :-1] != 0).all()


@given(order=st.permutations(range(8)))
def test_the_order_of_the_agents_does_not_matter(order):
    model = agent("fwm")
    episode = play(model, Recall(), 8, generator())
    order = torch.tensor(order)

    def loss(rows):
        output = model(episode.observations[rows])[0]
        parts = actor_critic(output, episode.actions[rows], episode.rewards[rows], discount=0.9)
        return torch.stack(parts)

    torch.testing.assert_close(loss(order), loss(torch.arange(8)), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", BACKBONES)
def test_some_of_the_agents_do_what_they_do_among_all(name):
    model = agent(name)
    whole = play(model, Recall(), 8, generator())
    part = play(model, Recall(), 8, generator(), rows=range(2, 6))
    for one, other in zip(part[:3], whole[:3], strict=True):
        assert torch.equal(one, other[2:6])


def test_chance_in_the_worlds_differs_from_share_to_share():
    model = agent()
    one, other = (
        play(model, Recall(moody=True), 8, generator(), rows=rows, keep_worlds=True).worlds[-1].mood
        for rows in (range(4), range(4, 8))
    )
    assert not torch.equal(one, other)


def test_an_episode_keeps_its_worlds_and_nothing_for_a_backward_pass():
    model = agent()
    episode = play(model, Recall(), 5, generator(), keep_worlds=True)
    assert [world.time.tolist() for world in episode.worlds] == [[t] * 5 for t in range(7)]
    assert play(model, Recall(), 5, generator()).worlds is None
    assert not any(tensor.requires_grad for tensor in states.tensors(episode[:3]))
    assert not any(tensor.is_inference() for tensor in episode[:3])


def test_actions_are_sampled_from_the_policy():
    model = agent()
    episode = play(model, Recall(), 4000, generator())
    policy = model(episode.observations)[0][..., :-1].softmax(-1)
    taken = torch.nn.functional.one_hot(episode.actions, 3).double()
    for t in range(6):
        gap = (taken[:, t] - policy[:, t]).mean(0).abs().max()
        assert gap < 4 * math.sqrt(0.25 / 4000)


def test_agents_learn():
    model = agent()
    source = rollout(
        agents=48, test_agents=200, entropy_weight=(0.1, 0.0, 40), normalise_advantage=True
    )
    before = source.evaluate(model)["reward"]
    optimiser = torch.optim.Adam(model.parameters(), 3e-2)
    for _ in range(60):
        optimiser.zero_grad()
        source.next_loss(model)[0].backward()
        optimiser.step()
    best = sum(range(1, 7))
    assert before < 0.6 * best and source.evaluate(model)["reward"] > 0.9 * best


def test_evaluations_are_alike_and_disturb_nothing():
    model, source, other = agent(), rollout(Recall(moody=True)), rollout(Recall(moody=True))
    first = source.evaluate(model)
    ours = source.next_loss(model)[0].item()
    assert ours == other.next_loss(model)[0].item()
    assert source.evaluate(model) == first and set(first) == {"reward", "reward_error"}


def test_the_error_is_the_sd_of_the_episodes_over_the_root_of_their_number():
    model, source = agent(), rollout(test_agents=5)
    seed = torch.Generator().manual_seed(seeds.derive(1, "test"))
    totals = play(model, Recall(), 5, seed, split=source.test_split).rewards.double().sum(1).numpy()
    found = source.evaluate(model)
    assert found["reward"] == pytest.approx(totals.mean(), rel=1e-12)
    assert found["reward_error"] == pytest.approx(totals.std() / math.sqrt(5), rel=1e-12) != 0


def test_evaluation_is_on_the_split_that_was_asked_for():
    model = agent()
    tested, trained = rollout(test_agents=500), rollout(test_agents=500, test_split="train")
    assert tested.evaluate(model)["reward"] != trained.evaluate(model)["reward"]


@pytest.mark.parametrize("moody", [False, True])
@pytest.mark.parametrize("stop", [1, 4])
def test_a_run_stopped_and_resumed_equals_one_that_was_not(tmp_path, moody, stop):
    def source():
        return rollout(Recall(moody), entropy_weight=(0.5, 0.0, 5), normalise_advantage=True)

    whole, model = Run.create(tmp_path / "whole", {}), agent()
    fit(model, source(), SETTINGS, whole)
    cut = Run.create(tmp_path / "cut", {})
    halted = Counted(source())
    assert fit(agent(), halted, SETTINGS, cut, stop=Stop(halted, stop)).interrupted
    again = agent()
    fit(again, source(), SETTINGS, cut)
    assert timeless(cut.metrics()) == timeless(whole.metrics())
    for one, other in zip(again.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other)


class Counted:
    """A source that counts its batches."""

    def __init__(self, source):
        self.source, self.step = source, 0

    def next_loss(self, model):
        self.step += 1
        return self.source.next_loss(model)

    def __getattr__(self, name):
        return getattr(self.source, name)


def test_every_update_plays_other_episodes():
    model, source = agent(), rollout()
    losses = {source.next_loss(model)[0].item() for _ in range(4)}
    assert len(losses) == 4


def test_the_weight_of_the_entropy_goes_down_a_line():
    assert Entropy.of(0.3).weight(0) == Entropy.of(0.3).weight(999) == 0.3
    assert [Entropy.of((0.4, 0.1, 3)).weight(u) for u in (0, 1, 3, 4)] == pytest.approx(
        [0.4, 0.3, 0.1, 0.1]
    )
    source = rollout(entropy_weight=(0.4, 0.1, 3))
    source.next_loss(agent())
    assert source.probe(agent())["entropy_weight"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    "given, told",
    [
        ({"agents": 0}, "agents must be at least 1"),
        ({"test_agents": 0}, "test_agents must be at least 1"),
        ({"discount": 1.5}, "discount must be from 0 to 1"),
        ({"trace_decay": -0.1}, "trace_decay must be from 0 to 1"),
        ({"value_weight": -1.0}, "value_weight must not be negative"),
        ({"entropy_weight": -0.1}, "entropy_weight must be a number"),
        ({"entropy_weight": (0.1, 0.0, 0)}, "entropy_weight must be a number"),
        ({"entropy_weight": math.inf}, "entropy_weight must be a number"),
    ],
)
def test_numbers_out_of_range_are_refused(given, told):
    with pytest.raises(UserError, match=told):
        rollout(**given)
