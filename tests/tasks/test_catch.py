"""Boards do what the game says, each by itself; what an agent is given is the screen until it goes blank."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastweights import state
from fastweights.errors import UserError
from fastweights.tasks import Catch, Environment
from fastweights.tasks.catch import LEFT, NONE, RIGHT, STAY

AGENTS = 40

boards = st.integers(2, 9).flatmap(
    lambda size: st.builds(
        Catch,
        st.just(size),
        st.integers(1, size),
        start=st.sampled_from(["random", "middle"]),
        last_action=st.booleans(),
    )
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def episode(task: Catch, seed: int, agents: int = AGENTS):
    """Play at random: [(observation, reward, world, actions that led there)], the first without a reward."""
    draws = generator(seed)
    observation, world = task.reset(agents, draws)
    frames = [(observation, None, world, None)]
    for _ in range(task.horizon):
        actions = torch.randint(3, (agents,), generator=draws)
        frames.append((*task.step(world, actions, draws), actions))
        world = frames[-1][2]
    return frames


@given(task=boards, seed=st.integers(0, 2**31))
def test_episode_is_the_game(task, seed):
    frames = episode(task, seed)
    columns = [
        (int(b), int(p)) for b, p in zip(frames[0][2].ball, frames[0][2].paddle, strict=True)
    ]
    assert len(frames) == task.size
    for time, (observation, reward, world, actions) in enumerate(frames):
        for agent, (ball, paddle) in enumerate(columns):
            if actions is not None:
                paddle = min(max(paddle + int(actions[agent]) - 1, 0), task.size - 1)
                columns[agent] = ball, paddle
                landed = 1.0 if paddle == ball else -1.0
                assert reward[agent] == (landed if time == task.size - 1 else 0.0)
            there = torch.zeros(task.size, task.size)
            there[time, ball] = there[task.size - 1, paddle] = 1
            assert torch.equal(task.screen(world)[agent], there)
            seen = there.flatten() if time < task.visible else torch.zeros(task.size**2)
            if task.last_action:
                last = torch.zeros(3)
                if actions is not None:
                    last[actions[agent]] = 1
                seen = torch.cat([seen, last])
            assert torch.equal(observation[agent], seen)
            assert observation.shape == (AGENTS, task.features)


@given(task=boards, seed=st.integers(0, 2**31))
def test_boards_depend_on_themselves_alone(task, seed):
    """Boards at different times, in any order and twice over, go on as each does by itself."""
    frames = episode(task, seed, agents=6)
    draws = generator(seed)
    joined = type(frames[0][2])(*map(torch.cat, zip(*(f[2] for f in frames[:-1]), strict=True)))
    actions = torch.cat([f[3] for f in frames[1:]])
    order = torch.randint(len(actions), (2 * len(actions),), generator=draws)
    kept = state.map_tensors(torch.clone, joined)
    got = task.step(state.select(joined, order), actions[order], draws)
    expected = [torch.cat([f[i] for f in frames[1:]])[order] for i in (0, 1)]
    assert all(torch.equal(a, b) for a, b in zip(got[:2], expected, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(joined, kept, strict=True))


def test_worlds_come_from_the_generator():
    task = Catch(7, 2)
    one, two = task.reset(AGENTS, generator(1)), task.reset(AGENTS, generator(1), "test")
    assert all(torch.equal(a, b) for a, b in zip(one[1], two[1], strict=True))
    assert not torch.equal(one[1].ball, task.reset(AGENTS, generator(2))[1].ball)
    assert (one[1].last == NONE).all() and (one[1].frame == 0).all()


@pytest.mark.parametrize("start", ["random", "middle"])
def test_columns_are_drawn_evenly(start):
    size, drawn = 5, 50_000
    _, world = Catch(size, start=start).reset(drawn, generator())
    seen = torch.bincount(world.ball * size + world.paddle, minlength=size**2).view(size, size)
    if start == "middle":
        assert int(seen[:, size // 2].sum()) == drawn
        seen = seen[:, size // 2]
    expected = drawn / seen.numel()
    assert ((seen - expected).abs() < 6 * expected**0.5).all()


@pytest.mark.parametrize("start", ["random", "middle"])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_reference_rewards(size, start):
    """Going to the ball is in time from any column; without seeing it, every policy gets `chance`."""
    task = Catch(size, 1, start=start)
    _, world = task.reset(size**2, generator())
    every = torch.arange(size).repeat_interleave(size)
    paddle = every.view(size, size).T.flatten() if start == "random" else world.paddle
    best = blind = world._replace(ball=every, paddle=paddle)
    draws = generator(4)
    sequence = torch.randint(3, (task.horizon, size), generator=draws).repeat(1, size)
    for moves in sequence:
        _, caught, best = task.step(best, STAY + (best.ball - best.paddle).sign(), draws)
        _, guessed, blind = task.step(blind, moves, draws)
    assert caught.mean() == task.best_possible == 1
    assert guessed.mean() == pytest.approx(task.chance)


def test_the_edges_stop_the_paddle():
    task = Catch(3)
    _, world = task.reset(AGENTS, generator())
    for action, edge in ((LEFT, 0), (RIGHT, 2)):
        moved = world
        for _ in range(task.horizon):
            moved = task.step(moved, torch.full((AGENTS,), action), generator())[2]
        assert (moved.paddle == edge).all()


def test_is_an_environment():
    task = Catch(4, 2, last_action=False)
    assert isinstance(task, Environment) and not isinstance(object(), Environment)
    assert (task.features, task.actions, task.horizon) == (16, 3, 3)
    assert repr(eval(repr(task), {"Catch": Catch})) == repr(task)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"size": 1}, "at least 2"),
        ({"visible": 0}, "1 to 16"),
        ({"size": 4, "visible": 5}, "1 to 4"),
        ({"start": "centre"}, "accepted: middle, random"),
        ({"size": "a"}, "whole number"),
        ({"visible": 2.5}, "1 to 16"),
    ],
)
def test_slips(options, complaint, unchecked):
    with pytest.raises(UserError, match=complaint):
        Catch(**options)
    with pytest.raises(UserError, match="at least 1"):
        Catch().reset(0, generator())


def test_a_split_that_there_is_not():
    with pytest.raises(UserError, match="accepted: test, train"):
        Catch().reset(2, generator(), "nonsense")


@pytest.mark.parametrize("action", [-1, 3])
def test_an_action_that_there_is_not(action):
    task = Catch()
    _, world = task.reset(3, generator())
    with pytest.raises(UserError, match="actions are 0 to 2"):
        task.step(world, torch.tensor([0, 2, action]), generator())
