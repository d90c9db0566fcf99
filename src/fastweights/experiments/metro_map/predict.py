"""Test a run on the metro maps anew, on those it was trained on and on the others, actions sampled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastweights.errors import check_count, unknown
from fastweights.experiments.actor_critic import MOST_EPISODES, examined
from fastweights.experiments.loaded_run import open_run

TEST_OPTIONS = ("samples", "seed", "split")
"""What `test` takes beside the run."""

DATA_OPTIONS = ()
"""What `test` needs to find the task's data: this task makes its own."""

SPLITS = ("train", "test")


def test(
    folder: Path, *, samples: int | None = None, seed: int = 0, split: str | None = None
) -> dict[str, Any]:
    """Play episodes that the run has not learned from; with its own seed and as many they are those of its test.

    Args:
        folder: a run of the task metro-map.
        samples: how many on each split; agent i is on graph i mod the graphs. None: one a graph.
        seed: of the episodes.
        split: "train" or "test", whose graphs to play on; None: on both.

    Returns:
        for each split `…_reward`, the mean total reward, its standard error `…_reward_error`, `…_episodes`, and what
        can be reached there: `…_best_possible` and `…_chance`.

    Raises:
        UserError: if the folder is no such run, the split is unknown, or a number is out of range.
    """
    if samples is not None:
        check_count("samples", samples, MOST_EPISODES)
    if split not in (None, *SPLITS):
        raise unknown("split", split, SPLITS)
    run = open_run(folder)
    found: dict[str, Any] = {
        "out": str(folder),
        "model": run.config["model"]["name"],
        "form": run.task.form,
        "seed": seed,
    }
    for name in SPLITS if split is None else (split,):
        found |= examined(run.model, run.task, samples or run.task.graphs, seed, split=name)
        found[f"{name}_best_possible"] = run.task.best_possible(name)
        found[f"{name}_chance"] = run.task.chance(name)
    return found
