"""Agents move as their graphs say; observations, rewards and resets follow the paper or its program."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastweights import state
from fastweights.errors import UserError
from fastweights.tasks import Environment, MetroMap
from fastweights.tasks.metro_map import World

FORMS = ("faithful", "fixed")
LINE = [[1, -1], [2, 0], [0, -1]]
"""Move 0 goes round 0 → 1 → 2 → 0; move 1 only from 1 back to 0."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def world(agents: int = 1, **fields) -> World:
    """Agents on `LINE`, at 0, with the goal at 2 and no past."""
    given = {"goal": 2, "state": 0, "last": 2, "timer": 0, "step": 0, "total": 0.0, **fields}
    tensors = {name: torch.tensor([value] * agents) for name, value in given.items()}
    lots = torch.randint(2, (agents, 10, 2), generator=generator())
    return World(graph=torch.tensor([LINE] * agents), lots=lots, **tensors)


def small(form: str, **options) -> MetroMap:
    return MetroMap(form, states=3, moves=2, graphs=2, steps=10, **options)


@pytest.mark.parametrize("form", FORMS)
def test_a_step_follows_the_graph(form):
    task = small(form)
    _, reward, after = task.step(world(), torch.tensor([0]), generator())
    assert reward == 0 and (after.state, after.goal, after.last, after.timer) == (1, 2, 0, 1)
    _, reward, after = task.step(world(), torch.tensor([1]), generator())
    assert reward == pytest.approx(-0.05) and (after.state, after.last, after.timer) == (0, 1, 1)
    _, reward, after = task.step(world(state=1, total=3.0), torch.tensor([0]), generator())
    assert reward == 10 and after.total == 13 and after.step == 1
    assert after.last == 0 and after.goal != 2 and after.state != after.goal


@pytest.mark.parametrize("form", FORMS)
def test_only_the_fixed_form_starts_the_timer_at_a_goal(form):
    task = small(form)
    at_goal = task.step(world(state=1, timer=3), torch.tensor([0]), generator())[2]
    assert at_goal.timer == (3 if form == "faithful" else 0)
    # states + 1 steps without a goal are the most.
    in_time = task.step(world(timer=2), torch.tensor([0]), generator())[2]
    assert (in_time.goal, in_time.state, in_time.last, in_time.timer) == (2, 1, 0, 3)
    late = task.step(world(timer=3), torch.tensor([0]), generator())[2]
    assert late.goal != 2 and late.state != late.goal and (late.last, late.timer) == (2, 0)
    reached = task.step(world(state=1, timer=3), torch.tensor([0]), generator())
    assert reached[1] == 10 and reached[2].last == 0


@pytest.mark.parametrize(("last", "name"), [(0, "first"), (1, "second"), (2, "none")])
def test_observations(last, name):
    told = world(state=1, last=last, step=4, total=25.0)
    faithful, fixed = (small(form)._observe(told)[0].tolist() for form in FORMS)
    place = [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    slots = {"first": [0, 1, 0, 1], "second": [0, 0, 1, 1], "none": [0, 0, 0, 1]}
    assert faithful == pytest.approx([*place, *slots[name], 0.4, 0])
    slots = {"first": [1, 0, 0, 1], "second": [0, 1, 0, 1], "none": [0, 0, 1, 1]}
    assert fixed == pytest.approx([*place, *slots[name], 0.4, 2.5])


@given(form=st.sampled_from(FORMS), seed=st.integers(0, 2**31))
def test_agents_depend_on_themselves_alone(form, seed):
    """Agents of all times, in any order and twice over, go on as each did by itself, whatever else is drawn."""
    task, draws = small(form), generator(seed)
    worlds, acted, seen, rewards = [task.reset(6, draws)[1]], [], [], []
    for _ in range(task.horizon):
        acted.append(torch.randint(2, (6,), generator=draws))
        observation, reward, there = task.step(worlds[-1], acted[-1], draws)
        seen.append(observation)
        rewards.append(reward)
        worlds.append(there)
    before, after = (
        World(*map(torch.cat, zip(*some, strict=True))) for some in (worlds[:-1], worlds[1:])
    )
    kept = state.map_tensors(torch.clone, before)
    order = torch.randint(60, (80,), generator=draws)
    chosen = state.select(before, order)
    observation, reward, there = task.step(chosen, torch.cat(acted)[order], generator(seed + 1))
    assert torch.equal(observation, torch.cat(seen)[order])
    assert torch.equal(reward, torch.cat(rewards)[order])
    for got, expected in zip(there, state.select(after, order), strict=True):
        assert torch.equal(got, expected)
    assert all(torch.equal(a, b) for a, b in zip(before, kept, strict=True))


@pytest.mark.parametrize("form", FORMS)
def test_agents_and_goals_are_put_anywhere_evenly(form):
    agents = 60_000
    task = small(form)
    _, start = task.reset(agents, generator())
    put = task.step(world(agents, state=1), torch.zeros(agents).long(), generator())[2]
    for there, goals in ((start, {0, 1, 2}), (put, {0, 1})):
        pairs = torch.bincount(there.goal * 3 + there.state, minlength=9).view(3, 3)
        for goal, place in itertools.product(range(3), range(3)):
            possible = goal in goals and place != goal
            expected = agents / (2 * len(goals)) if possible else 0
            assert abs(int(pairs[goal, place]) - expected) <= 6 * expected**0.5


@pytest.mark.parametrize("form", FORMS)
def test_total_reward_is_within_its_bounds(form):
    task = MetroMap(form, graphs=5, steps=12)
    draws = generator()
    observation, there = task.reset(200, draws, "test")
    everything = torch.zeros(200)
    for _ in range(task.horizon):
        assert observation.shape == (200, task.features) == (200, 17)
        assert (observation[:, :10].sum(1) == 2).all() and (observation[:, 14] == 1).all()
        action = torch.randint(3, (200,), generator=draws)
        observation, reward, there = task.step(there, action, draws)
        assert (there.state != there.goal).all() and (there.timer <= task.states).all()
        everything += reward
    assert torch.allclose(everything, there.total)
    assert (everything >= -12 * 0.05 - 1e-5).all() and (everything <= 120).all()


def test_splits():
    task = MetroMap(graphs=4)
    for split in ("train", "test"):
        _, there = task.reset(9, generator(), split)
        assert torch.equal(there.graph, task.maps(split)[torch.arange(9) % 4])
    assert not torch.equal(task.maps("train"), task.maps("test"))
    one, two = task.reset(9, generator(3)), task.reset(9, generator(3))
    assert all(torch.equal(a, b) for a, b in zip(one[1], two[1], strict=True))


def test_is_an_environment():
    task = MetroMap("fixed", states=4, moves=2, graphs=3, steps=7, reward=1.0, penalty=0.1)
    assert isinstance(task, Environment)
    assert (task.features, task.actions, task.horizon) == (14, 2, 7)
    again = eval(repr(task), {"MetroMap": MetroMap})
    assert repr(again) == repr(task) and torch.equal(again.maps("test"), task.maps("test"))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"form": "fixd"}, "did you mean 'fixed'"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"reward": 0.0}, "reward must be above 0"),
        ({"penalty": -0.1}, "penalty must be 0 or more"),
        ({"reward": float("nan")}, "reward must be above 0"),
        ({"states": 2}, "states must be at least 3"),
        ({"steps": 3.5}, "steps must be a whole number"),
        ({"reward": float("inf")}, "reward must be above 0 and finite"),
        ({"penalty": float("inf")}, "penalty must be 0 or more and finite"),
    ],
)
def test_slips(options, complaint, unchecked):
    with pytest.raises(UserError, match=complaint):
        MetroMap(**options)


def test_slips_in_a_reset():
    task = small("fixed")
    with pytest.raises(UserError, match="at least 1"):
        task.reset(0, generator())
    with pytest.raises(UserError, match="did you mean 'train'"):
        task.reset(1, generator(), "trein")


@pytest.mark.parametrize("action", [-1, 2])
def test_a_move_that_there_is_not(action):
    """It would be a neighbouring station's move."""
    with pytest.raises(UserError, match="actions are 0 to 1"):
        small("fixed").step(world(2, state=1), torch.tensor([0, action]), generator())
