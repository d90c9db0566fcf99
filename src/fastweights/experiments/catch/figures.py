"""Pictures of runs of Catch: learning curves, and an episode with what the agent keeps in mind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from fastweights.errors import UserError, check_seed
from fastweights.experiments.actor_critic import TEST_SEED
from fastweights.experiments.loaded_run import Opened
from fastweights.experiments.plotting import Figure, group
from fastweights.training import play

ACTIONS = ("left", "stay", "right")

PANELS = {
    "reward": "mean reward of an episode",
    "train_entropy": "entropy of the policy (nats)",
    "train_value_loss": "squared error of the value",
}


class Shown(NamedTuple):
    """An episode as `figures.Played`, and what the backbone did in it."""

    played: Any
    trace: Any


def single(run: Opened, shown: str | None) -> Iterator[Figure]:
    """Draw one run: its learning curves, and an episode of its test.

    Args:
        run: of the task catch.
        shown: a number, which chooses the episode; None: the first.

    Raises:
        UserError: if `shown` is no number.
    """
    from fastweights import figures

    title = f"{run.config['model']['name']}, Catch ({run.task.size}, {run.task.visible})"
    episode = _episode(run, shown)
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


def several(runs: list[Opened]) -> Iterator[Figure]:
    """Compare runs on one size of screen.

    Raises:
        UserError: if they are of several.
    """
    from fastweights import figures

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


def animate(run: Opened, shown: str | None, path: Path) -> Path:
    """Animate an episode beside the fast weights, or the hidden state of a model that has none."""
    from fastweights import figures

    episode = _episode(run, shown)
    return figures.animate_episode(episode.played, episode.trace, path)


def _frames(run: Opened) -> int:
    return run.config["recipe"]["agents"] * run.task.horizon


def _levels(run: Opened) -> dict[str, dict[str, float]]:
    return {"reward": {"best possible": run.task.best_possible, "ball unseen": run.task.chance}}


@torch.no_grad()
def _episode(run: Opened, shown: str | None) -> Shown:
    """Play the episode of a number, actions sampled; the model takes its steps once more to be looked into."""
    from fastweights import figures

    try:
        number = 0 if shown is None else int(shown)
    except ValueError:
        raise UserError(f"an episode of Catch is chosen by a number, not {shown!r}") from None
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
    return Shown(played, trace)
