"""Test a run of Catch anew: episodes that it has not seen, actions sampled from its policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastweights.errors import check_count
from fastweights.experiments.actor_critic import MOST_EPISODES, examined
from fastweights.experiments.loaded_run import open_run

TEST_OPTIONS = ("samples", "seed")
"""What `test` takes beside the run."""

DATA_OPTIONS = ()
"""What `test` needs to find the task's data: this task makes its own."""


def test(folder: Path, *, samples: int | None = None, seed: int = 0) -> dict[str, Any]:
    """Play episodes that the run has not learned from; with its own seed and as many they are those of its test.

    Args:
        folder: a run of the task catch.
        samples: how many; None: as many as the run's own test.
        seed: of the episodes.

    Raises:
        UserError: if the folder is no such run, or a number is out of range.
    """
    if samples is not None:
        check_count("samples", samples, MOST_EPISODES)
    run = open_run(folder)
    episodes = run.config["recipe"]["test_episodes"] if samples is None else samples
    tested = examined(run.model, run.task, episodes, seed)
    return {
        "out": str(folder),
        "model": run.config["model"]["name"],
        "size": run.task.size,
        "visible": run.task.visible,
        "seed": seed,
        **tested,
        "caught": (1 + tested["test_reward"]) / 2,
        "best_possible": run.task.best_possible,
        "chance": run.task.chance,
    }
