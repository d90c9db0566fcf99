"""Pictures of runs on the metro maps: rewards over updates (Figure 5), within an episode, and an episode on its map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from fastweights import figures
from fastweights.errors import UserError
from fastweights.experiments.actor_critic import TEST_SEED
from fastweights.experiments.experiment import Figure
from fastweights.experiments.grouping import group
from fastweights.experiments.loaded_run import LoadedRun
from fastweights.tasks import MetroMap
from fastweights.training import Episode, play

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Run = LoadedRun[MetroMap]

PANELS = {
    "train_reward": "mean reward, train maps",
    "reward": "mean reward, test maps",
}


def draw(run: Run, sequence: str | None) -> Iterator[Figure]:
    """Draw one run: its rewards, what each step brings, and an episode on the first test map or that of a number."""
    title = f"{run.config['model']['name']}, metro maps ({run.task.form})"
    number = _number(run, sequence)
    yield _curves({"": [run]}, title)
    yield _by_step({"": [run]}, title)
    episode = played(run, range(number, number + 1))
    reward = float(episode.rewards.sum())
    titled = f"{title}: an episode on test map {number}, reward {reward:.4g}"
    yield Figure("episode", lambda: figures.walk_strip(walk(episode), title=titled))


def compare(runs: list[Run]) -> Iterator[Figure]:
    """Compare runs on one form of the task.

    Raises:
        UserError: if they are of several.
    """
    first = runs[0]
    if any(run.config["task"] != first.config["task"] for run in runs):
        raise UserError("runs on different maps or forms cannot be compared in one figure")
    groups = group(runs)
    title = f"metro maps ({first.task.form})"
    yield _curves(groups, title)
    yield _by_step(groups, title)


def _curves(groups: dict[str, list[Run]], title: str) -> Figure:
    """Figure 5 of the paper: rewards on train and test maps over the updates."""
    task = next(iter(groups.values()))[0].task
    splits = {"train_reward": "train", "reward": "test"}
    levels = {key: _levels(task, split) for key, split in splits.items()}
    metrics = {name: [run.metrics for run in seeds] for name, seeds in groups.items()}
    return Figure(
        "training",
        lambda: figures.reward_curves(metrics, levels=levels, panels=PANELS, title=title),
    )


def _by_step(groups: dict[str, list[Run]], title: str) -> Figure:
    """Return the figure of what each step of an episode brings on the test maps: how soon a map is known."""
    task = next(iter(groups.values()))[0].task
    whole = range(task.graphs)

    def make() -> Drawing:
        rewards = {
            name: torch.cat([played(run, whole).rewards for run in seeds]).double().numpy()
            for name, seeds in groups.items()
        }
        levels = {"random moves": task.chance("test") / task.horizon}
        return figures.reward_by_step(rewards, levels=levels, title=f"{title}, test maps")

    return Figure("within-episode", make)


def _levels(task: MetroMap, split: str) -> dict[str, float]:
    return {"best, map\nknown": task.best_possible(split), "random moves": task.chance(split)}


def _number(run: Run, sequence: str | None) -> int:
    try:
        number = 0 if sequence is None else int(sequence)
    except ValueError:
        raise UserError(f"a metro map is chosen by its number, not {sequence!r}") from None
    if not 0 <= number < run.task.graphs:
        raise UserError(f"there are test maps 0 to {run.task.graphs - 1}, not {number}")
    return number


def played(run: Run, rows: range) -> Episode:
    """Play the episodes of the run's test on some of the maps."""
    generator = torch.Generator().manual_seed(TEST_SEED + run.plan["seed"])
    return play(
        run.model, run.task, run.task.graphs, generator, split="test", rows=rows, keep_worlds=True
    )


def walk(episode: Episode) -> figures.Walk:
    """Return the first agent's episode in the form that is drawn."""
    assert episode.worlds is not None
    before, after = episode.worlds[:-1], episode.worlds[1:]
    graph = before[0].graph[0]
    return figures.Walk(
        graph=graph.numpy(),
        state=torch.stack([world.state[0] for world in before]).numpy(),
        goal=torch.stack([world.goal[0] for world in before]).numpy(),
        move=episode.actions[0].numpy(),
        reward=episode.rewards[0].double().numpy(),
        # Only those whose time was up are shown no last action.
        late=torch.stack([world.last[0] == graph.shape[1] for world in after]).numpy(),
    )
