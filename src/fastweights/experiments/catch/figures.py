"""Pictures of runs of Catch: learning curves, and an episode with what the agent keeps in mind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch

from fastweights import figures
from fastweights.errors import UserError, check_seed
from fastweights.experiments.actor_critic import TEST_SEED
from fastweights.experiments.experiment import Animation, Figure
from fastweights.experiments.grouping import group
from fastweights.experiments.loaded_run import LoadedRun
from fastweights.nn import Trace
from fastweights.tasks import Catch
from fastweights.training import play

Run = LoadedRun[Catch]

ACTIONS = ("left", "stay", "right")

PANELS = {
    "reward": "mean reward of an episode",
    "train_entropy": "entropy of the policy (nats)",
    "train_value_loss": "squared error of the value",
}


class PlayedEpisode(NamedTuple):
    """An episode, and what the backbone did in it."""

    played: figures.Played
    trace: Trace


def draw(run: Run, sequence: str | None) -> Iterator[Figure]:
    """Draw one run: its learning curves, and an episode of its test, the first or the one of a number."""
    title = f"{run.name}, Catch ({run.task.size}, {run.task.visible})"
    episode = _episode(run, sequence)
    yield Figure(
        "training",
        lambda: figures.reward_curves(
            {"": [run.metrics]},
            frames={"": _frames(run)},
            levels=_levels(run),
            panels=PANELS,
            title=title,
        ),
    )
    yield Figure("episode", lambda: figures.film_strip(episode.played, title=title))


def compare(runs: list[Run]) -> Iterator[Figure]:
    """Compare runs on one size of screen.

    Raises:
        UserError: if they are of several.
    """
    first = runs[0]
    if any(run.config["task"] != first.config["task"] for run in runs):
        raise UserError("runs of different screens cannot be compared in one figure")
    groups = group(runs)
    metrics = {name: [run.metrics for run in seeds] for name, seeds in groups.items()}
    yield Figure(
        "comparison",
        lambda: figures.reward_curves(
            metrics,
            frames={name: _frames(seeds[0]) for name, seeds in groups.items()},
            levels=_levels(first),
            title=f"Catch ({first.task.size}, {first.task.visible})",
        ),
    )


def animate(run: Run, sequence: str | None) -> Animation:
    """Animate an episode beside the fast weights, or the hidden state of a model that has none."""
    episode = _episode(run, sequence)
    return Animation(lambda path: figures.animate_episode(episode.played, episode.trace, path))


def _frames(run: Run) -> int:
    return run.plan["agents"] * run.task.horizon


def _levels(run: Run) -> dict[str, dict[str, float]]:
    return {"reward": {"best possible": run.task.best_possible, "ball unseen": run.task.chance}}


@torch.no_grad()
def _episode(run: Run, sequence: str | None) -> PlayedEpisode:
    """Play the episode of a number, actions sampled; the model takes its steps once more to be looked into."""
    try:
        number = 0 if sequence is None else int(sequence)
    except ValueError:
        raise UserError(f"an episode of Catch is chosen by a number, not {sequence!r}") from None
    check_seed(number)
    generator = torch.Generator().manual_seed(TEST_SEED + number)
    episode = play(run.model, run.task, 1, generator, split="test", keep_worlds=True)
    trace = run.model.trace(episode.observations)
    assert episode.worlds is not None
    played = figures.Played(
        screens=torch.cat([run.task.screen(world) for world in episode.worlds]).numpy(),
        seen=torch.cat([world.frame < run.task.visible for world in episode.worlds]).numpy(),
        policy=trace.output[0, :, :-1].softmax(-1).double().numpy(),
        taken=episode.actions[0].tolist(),
        names=ACTIONS,
        reward=float(episode.rewards.sum()),
    )
    return PlayedEpisode(played, trace)
