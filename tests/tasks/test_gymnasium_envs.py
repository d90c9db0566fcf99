"""The single environments equal the batched ones, pass gymnasium's checks; importing the tasks registers them."""

import copy
import itertools
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from fastweights.errors import UserError
from fastweights.tasks import Catch, MetroMap, gymnasium_envs
from fastweights.tasks.catch_env import CatchEnv
from fastweights.tasks.metro_env import MetroMapEnv

AGENTS = 4


def episode(task, seed, split="train"):
    """Play the batched task at random: what was seen, done and rewarded, and the worlds, by step."""
    draws = torch.Generator().manual_seed(seed)
    observation, world = task.reset(AGENTS, draws, split)
    seen, done, rewards, worlds = [observation], [], [], [world]
    for _ in range(task.horizon):
        done.append(torch.randint(task.actions, (AGENTS,), generator=draws))
        observation, reward, world = task.step(world, done[-1], draws)
        seen.append(observation)
        rewards.append(reward)
        worlds.append(world)
    return torch.stack(seen, 1).numpy(), torch.stack(done, 1), torch.stack(rewards, 1), worlds


@given(
    size=st.integers(2, 9),
    start=st.sampled_from(["random", "middle"]),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_one_board_is_a_row_of_many(size, start, seed, data):
    visible = data.draw(st.integers(1, size))
    seen, done, rewards, worlds = episode(Catch(size, visible, start=start), seed)
    env = CatchEnv(size, visible, start=start)
    for agent in range(AGENTS):
        columns = {name: int(getattr(worlds[0], name)[agent]) for name in ("ball", "paddle")}
        if start == "middle":
            del columns["paddle"]
        screen, _ = env.reset(options=columns)
        acted = np.zeros(3)
        for time, action in enumerate(done[agent].tolist()):
            assert np.array_equal(seen[agent, time], np.append(screen, acted))
            screen, reward, terminated, truncated, _ = env.step(action)
            acted = np.eye(3)[action]
            assert reward == rewards[agent, time] and not truncated
            assert terminated == (time == size - 2)
        assert np.array_equal(seen[agent, -1], np.append(screen, acted))


@given(
    form=st.sampled_from(["faithful", "fixed"]),
    split=st.sampled_from(["train", "test"]),
    states=st.integers(3, 5),
    moves=st.integers(2, 4),
    reward=st.sampled_from([1.0, 10.0]),
    penalty=st.sampled_from([0.0, 0.05, 0.5]),
    seed=st.integers(0, 2**31),
)
def test_one_agent_is_a_row_of_many(form, split, states, moves, reward, penalty, seed):
    options = {"states": states, "moves": moves, "graphs": 3, "steps": 25}
    options |= {"reward": reward, "penalty": penalty, "graph_seed": seed}
    seen, done, rewards, worlds = episode(MetroMap(form, **options), seed, split)
    env = MetroMapEnv(form, split=split, **options)
    for agent in range(AGENTS):
        places = [(int(world.goal[agent]), int(world.state[agent])) for world in worlds]
        # Whoever is put elsewhere gets another goal.
        put = [places[0]] + [b for a, b in itertools.pairwise(places) if a[0] != b[0]]
        observation, info = env.reset(options={"graph": agent % 3, "places": put})
        assert info == {"graph": agent % 3}
        for time, action in enumerate(done[agent].tolist()):
            assert observation in env.observation_space
            np.testing.assert_allclose(observation, seen[agent, time], atol=1e-5)
            observation, gained, terminated, truncated, _ = env.step(action)
            assert gained == pytest.approx(float(rewards[agent, time])) and not truncated
            assert terminated == (time == 24)
            assert (env._goal, env._state) == places[time + 1]
        assert next(env._places, None) is None


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Catch", {}),
        ("Catch", {"size": 24, "visible": 5, "start": "middle"}),
        ("MetroMap", {}),
        ("MetroMap", {"form": "fixed", "states": 4, "graphs": 2, "split": "test"}),
    ],
)
def test_gymnasium_finds_nothing_wrong(name, options):
    env = gymnasium.make(f"fastweights/{name}-v0", render_mode="rgb_array", **options)
    check_env(env.unwrapped)
    observation, _ = env.reset(seed=0)
    over = steps = 0
    while not over:
        observation, _, over, _, _ = env.step(env.action_space.sample())
        steps += 1
        assert observation in env.observation_space
    assert steps == (30 if name == "MetroMap" else options.get("size", 16) - 1)
    with pytest.raises(UserError, match="episode is over"):
        env.unwrapped.step(0)
    env.close()


def test_a_vector_of_them():
    envs = gymnasium.make_vec("fastweights/MetroMap-v0", 3, vectorization_mode="sync", graphs=2)
    observation, _ = envs.reset(seed=0)
    assert observation.shape == (3, 17)
    for _ in range(40):
        observation, reward, *_ = envs.step(envs.action_space.sample())
    assert observation.shape == (3, 17) and reward.shape == (3,)
    envs.close()


@pytest.mark.parametrize(
    ("name", "task", "options"),
    [
        ("Catch", Catch(5, 3, last_action=False), {"size": 5}),
        ("MetroMap", MetroMap("fixed", graphs=2), {"form": "fixed", "graphs": 2}),
    ],
)
def test_many_at_once_are_the_batched_task(name, task, options):
    """gymnasium makes them by default; every number is the task's, and the step after the end begins anew."""
    envs = gymnasium.make_vec(f"fastweights/{name}-v0", AGENTS, **options)
    one = gymnasium.make(f"fastweights/{name}-v0", **options)
    assert envs.single_observation_space == one.observation_space
    assert envs.single_action_space == one.action_space
    seen, done, rewards, _ = episode(task, 3)
    observation, _ = envs.reset(seed=3)
    draws = torch.Generator().manual_seed(3)
    task.reset(AGENTS, draws)
    for time in range(task.horizon):
        assert observation in envs.observation_space
        np.testing.assert_array_equal(observation.reshape(AGENTS, -1), seen[:, time])
        envs.unwrapped._generator.set_state(draws.get_state())
        action = torch.randint(task.actions, (AGENTS,), generator=draws)
        assert torch.equal(action, done[:, time])
        observation, reward, over, truncated, _ = envs.step(action.numpy())
        np.testing.assert_array_equal(reward, rewards[:, time].double())
        assert (over == (time == task.horizon - 1)).all() and not truncated.any()
    _, reward, over, *_ = envs.step(np.zeros(AGENTS, int))
    assert not reward.any() and not over.any()
    _, reward, over, *_ = envs.step(np.zeros(AGENTS, int))
    assert not over.any()
    with pytest.raises(UserError, match=r"action"):
        envs.step(np.full(AGENTS, 9))
    with pytest.raises(UserError, match="no options"):
        envs.reset(options={"ball": 1})
    with pytest.raises(UserError, match="seed of all agents"):
        envs.reset(seed=[1, 2, 3, 4])
    with pytest.raises(UserError, match="reset the environment"):
        gymnasium.make_vec(f"fastweights/{name}-v0", 2, **options).step(np.zeros(2, int))
    with pytest.raises(UserError, match="not drawn"):
        gymnasium.make_vec(f"fastweights/{name}-v0", 2, render_mode="rgb_array", **options)


@pytest.mark.parametrize("name", ["Catch-v0", "MetroMap-v0"])
def test_a_process_that_has_imported_nothing_makes_them_by_module_and_id(name):
    """As a spawned worker of a vector environment does; the pages show this id."""
    script = (
        "import sys, gymnasium; assert 'fastweights' not in sys.modules;"
        f"gymnasium.make('fastweights.tasks:fastweights/{name}').reset()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_importing_the_tasks_registers_them_and_loads_no_pictures():
    script = (
        "import sys, gymnasium, fastweights.tasks; gymnasium.make('fastweights/Catch-v0').reset();"
        "gymnasium.make('fastweights/MetroMap-v0', graphs=1).reset(); assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_the_tasks_are_there_without_gymnasium():
    script = "import sys; sys.modules['gymnasium'] = None; import fastweights.tasks as tasks; tasks.Catch()"
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_registering_again_changes_nothing():
    before = dict(gymnasium.registry)
    gymnasium_envs.register_environments()
    assert dict(gymnasium.registry) == before


def test_the_picture_of_a_board_shows_what_is_there():
    env = CatchEnv(16, 1, render_mode="rgb_array")
    env.reset(options={"ball": 3, "paddle": 9})
    bright = env.render()
    env.step(1)
    dim = env.render()
    assert bright.shape == dim.shape == (512, 512, 3) and bright.dtype == np.uint8
    middle = slice(16, None, 32)
    lit = [(p[middle, middle] != (24, 26, 32)).any(-1) for p in (bright, dim)]
    assert [np.argwhere(there).tolist() for there in lit] == [[[0, 3], [15, 9]], [[1, 3], [15, 9]]]
    assert bright[16, 3 * 32 + 16].sum() > dim[48, 3 * 32 + 16].sum()
    assert CatchEnv().render() is None


def test_the_picture_of_a_map_changes_with_what_happens():
    env = MetroMapEnv(graphs=2, render_mode="rgb_array")
    env.reset(options={"graph": 0, "places": [(1, 0)]})
    first = env.render()
    env.reset(options={"graph": 0, "places": [(1, 0)]})
    again = env.render()
    env.reset(options={"graph": 0, "places": [(0, 1)]})
    other = env.render()
    assert first.shape == (600, 560, 3) and first.dtype == np.uint8
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert MetroMapEnv(graphs=2).render() is None


def test_a_picture_of_a_map_without_matplotlib(monkeypatch):
    env = MetroMapEnv(graphs=2, render_mode="rgb_array")
    env.reset(seed=0)
    monkeypatch.delattr("fastweights.tasks.metro_drawing", raising=False)
    monkeypatch.setitem(sys.modules, "fastweights.tasks.metro_drawing", None)
    with pytest.raises(UserError, match=r"fastweights\[viz\]"):
        env.render()


@pytest.mark.parametrize(
    ("env", "options", "complaint"),
    [
        (CatchEnv, {"size": 1}, "at least 2"),
        (CatchEnv, {"visible": 17}, "1 to 16"),
        (CatchEnv, {"start": "left"}, "start of the paddle"),
        (CatchEnv, {"render_mode": "human"}, "render mode"),
        (CatchEnv, {"visible": 2.5}, "1 to 16"),
        (CatchEnv, {"visible": True}, "1 to 16"),
        (CatchEnv, {"size": "a"}, "whole number"),
        (CatchEnv, {"size": 4.0}, "whole number"),
        (CatchEnv, {"start": ["middle"]}, "start of the paddle"),
        (MetroMapEnv, {"steps": 3.5}, "steps must be a whole number"),
        (MetroMapEnv, {"steps": True}, "steps must be a whole number"),
        (MetroMapEnv, {"states": 5.0}, "states must be a whole number"),
        (MetroMapEnv, {"graphs": [3]}, "graphs must be a whole number"),
        (MetroMapEnv, {"graph_seed": 0.5}, "seed of the graphs"),
        (MetroMapEnv, {"reward": float("inf")}, "above 0 and finite"),
        (MetroMapEnv, {"reward": "ten"}, "above 0 and finite"),
        (MetroMapEnv, {"penalty": float("inf")}, "0 or more and finite"),
        (MetroMapEnv, {"form": "fixd"}, "did you mean 'fixed'"),
        (MetroMapEnv, {"split": "valid"}, "split"),
        (MetroMapEnv, {"graphs": 0}, "at least 1"),
        (MetroMapEnv, {"render_mode": "human"}, "render mode"),
    ],
)
def test_slips(env, options, complaint, unchecked):
    with pytest.raises(UserError, match=complaint):
        env(**options)


@pytest.mark.parametrize(
    ("env", "options", "complaint"),
    [
        (CatchEnv(), {"ball": 16}, "0 to 15"),
        (CatchEnv(), {"bal": 3}, "did you mean 'ball'"),
        (MetroMapEnv(graphs=2), {"graph": 2}, "0 to 1"),
        (MetroMapEnv(graphs=2), {"place": []}, "did you mean 'places'"),
        (MetroMapEnv(graphs=2), {"places": [(1, 1)]}, "two different states"),
        (MetroMapEnv(graphs=2), {"places": [(0, 5)]}, "two different states"),
        (MetroMapEnv(graphs=2), {"places": [(0, 1, 2)]}, "two different states"),
        (CatchEnv(), {"ball": np.array([1, 2])}, "0 to 15"),
        (CatchEnv(), {"ball": 3, "paddle": np.ones((4, 4))}, "0 to 15"),
        (CatchEnv(), {"paddle": 2.0}, "0 to 15"),
        (CatchEnv(), {"ball": True}, "0 to 15"),
        (CatchEnv(), {"ball": 3, 5: 2}, "unknown option"),
        (CatchEnv(), ["ball"], "by name"),
        (MetroMapEnv(graphs=2), {"graph": 1.0}, "0 to 1"),
        (MetroMapEnv(graphs=2), {"graph": True}, "0 to 1"),
        (MetroMapEnv(graphs=2), {"graph": np.array([1, 2])}, "0 to 1"),
        (MetroMapEnv(graphs=2), {"graph": 1, "places": 5}, "a sequence"),
        (MetroMapEnv(graphs=2), {"places": None}, "a sequence"),
        (MetroMapEnv(graphs=2), {"places": [0, 1]}, "a sequence"),
        (MetroMapEnv(graphs=2), {"places": "ab"}, "two different states"),
        (MetroMapEnv(graphs=2), {"places": [(0, 1), (True, 2)]}, "two different states"),
    ],
)
def test_slips_in_a_reset(env, options, complaint, unchecked):
    """What is refused changes nothing: the game before goes on, and the next one is as it would have been."""
    other = copy.deepcopy(env)
    for one in (env, other):
        one.reset(seed=3)
        one.step(2)
    with pytest.raises(UserError, match=complaint) as told:
        env.reset(seed=4, options=options)
    assert "\n" not in str(told.value)
    for _ in range(2):
        ours, theirs = env.step(0), other.step(0)
        assert np.array_equal(ours[0], theirs[0]) and ours[1:] == theirs[1:]
    ours, theirs = env.reset(), other.reset()
    assert np.array_equal(ours[0], theirs[0]) and ours[1] == theirs[1]


@pytest.mark.parametrize("env", [CatchEnv(), MetroMapEnv(graphs=2)], ids=["catch", "metro-map"])
def test_a_reset_that_is_refused_begins_no_episode(env):
    with pytest.raises(UserError):
        env.reset(options={"ball": -1} if isinstance(env, CatchEnv) else {"graph": -1})
    with pytest.raises(UserError, match="never begun"):
        env.step(0)


def test_numpy_numbers_are_numbers_and_the_graph_is_told_as_a_plain_one(unchecked):
    numbers: dict[str, Any] = {"graphs": np.int64(9), "steps": np.int32(4)}
    env = MetroMapEnv(**numbers)
    _, info = env.reset(options={"graph": np.int64(7), "places": np.array([[0, 1]])})
    assert type(info["graph"]) is int and info == {"graph": 7}
    assert (env._goal, env._state) == (0, 1)
    assert type(env.step(0)[-1]["graph"]) is int and type(env.reset()[1]["graph"]) is int
    screen, _ = CatchEnv().reset(options={"ball": np.uint8(2), "paddle": np.array(5)})
    assert np.argwhere(screen).tolist() == [[0, 2], [15, 5]]


@pytest.mark.parametrize("env", [CatchEnv(), MetroMapEnv(graphs=2)], ids=["catch", "metro-map"])
def test_slips_in_a_step(env):
    with pytest.raises(UserError, match="never begun"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(UserError, match="an action is 0"):
        env.step(3)
