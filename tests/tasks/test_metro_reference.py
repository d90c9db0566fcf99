"""The rewards that others are measured by: counted out for few steps, and met by agents that play for many."""

import itertools

import pytest
import torch

from fastweights.tasks import MetroMap

FORMS = ("faithful", "fixed")
AGENTS = 20_000


def counted(graph, steps: int, best: bool, task: MetroMap) -> float:
    """The mean total reward on one graph, by writing out all that can happen."""
    states, moves = len(graph), len(graph[0])
    pairs = list(itertools.permutations(range(states), 2))

    def to_come(goal: int, state: int, timer: int, left: int) -> float:
        if left == 0:
            return 0.0

        def put(timer: int) -> float:
            new = [pair for pair in pairs if pair[0] != goal]
            return sum(to_come(*pair, timer, left - 1) for pair in new) / len(new)

        results = []
        for target in graph[state]:
            if target == goal:
                results.append(task.reward + put(timer if task.form == "faithful" else 0))
                continue
            gained, there = (-task.penalty, state) if target == -1 else (0.0, target)
            late = timer + 1 > states
            results.append(gained + (put(0) if late else to_come(goal, there, timer + 1, left - 1)))
        return max(results) if best else sum(results) / moves

    return sum(to_come(*pair, 0, steps) for pair in pairs) / len(pairs)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("best", [True, False])
def test_all_that_can_happen_counted_out(form, best):
    """Five steps of three states: long enough for the time to be up."""
    for steps in (1, 2, 5):
        task = MetroMap(form, states=3, moves=2, graphs=2, steps=steps, reward=1.0, penalty=0.5)
        for split in ("train", "test"):
            expected = [counted(graph, steps, best, task) for graph in task.maps(split).tolist()]
            given = task.best_possible(split) if best else task.chance(split)
            assert given == pytest.approx(sum(expected) / 2)


def distances(maps: torch.Tensor) -> torch.Tensor:
    """Moves from each state to each other, by walking on from all of them at once."""
    states = maps.shape[1]
    reached = torch.eye(states).expand(len(maps), -1, -1)
    onward = (maps[..., None] == torch.arange(states)).any(2).float()
    far = torch.zeros(len(maps), states, states)
    for _ in range(states):
        far += reached == 0
        reached = (reached + reached @ onward).clamp(max=1)
    return far


@pytest.mark.parametrize("form", FORMS)
def test_agents_come_to_these_rewards(form):
    """Random moves bring what is expected of them; the shortest way is hardly ever worse than the best one."""
    task, draws = MetroMap(form, graphs=20), torch.Generator().manual_seed(0)
    far = distances(task.maps("test")).repeat(AGENTS // 20, 1, 1)
    rows = torch.arange(AGENTS)
    totals = []
    for shortest in (False, True):
        _, world = task.reset(AGENTS, draws, "test")
        for _ in range(task.horizon):
            actions = torch.randint(3, (AGENTS,), generator=draws)
            if shortest:
                onward = world.graph[rows, world.state]
                left = far[rows[:, None], onward.clamp(min=0), world.goal[:, None]]
                actions = left.masked_fill(onward < 0, torch.inf).argmin(1)
            world = task.step(world, actions, draws)[2]
        totals.append(world.total.double())
    random, shortest = (float(total.mean()) for total in totals)
    error = max(float(total.std()) for total in totals) / AGENTS**0.5
    assert abs(random - task.chance("test")) < 5 * error
    assert -5 * error < task.best_possible("test") - shortest < 5 * error + 1
    assert task.chance("test") < task.best_possible("test") < task.horizon * task.reward
