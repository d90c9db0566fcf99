"""Test a run on the metro maps anew, on those it was trained on and on the others, actions sampled."""

from __future__ import annotations

from pathlib import Path

from fastweights.errors import unknown
from fastweights.experiments.actor_critic import evaluate as evaluate_agents
from fastweights.experiments.actor_critic import measure
from fastweights.experiments.experiment import Evaluation
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.metro_map.defaults import MILESTONES
from fastweights.experiments.metro_map.options import MetroMapTest
from fastweights.experiments.metro_map.plan import MetroMapPlan
from fastweights.experiments.plan import Record
from fastweights.models import SequenceModel
from fastweights.training import Outcome

SPLITS = ("train", "test")


def evaluate(model: SequenceModel, plan: MetroMapPlan, outcome: Outcome) -> Evaluation:
    """Test trained agents; the evaluations at the milestones are among the figures."""
    task = plan.task()
    evaluated = {row["step"]: row["reward"] for row in outcome.history}
    figures = {
        **evaluate_agents(model, plan, outcome),
        **{f"test_reward_{step}": evaluated[step] for step in MILESTONES if step in evaluated},
        "form": plan.form,
        "best_possible": task.best_possible("test"),
        "chance": task.chance("test"),
    }
    return Evaluation(figures, [])


def test(folder: Path, options: MetroMapTest) -> Record:
    """Play episodes that the run has not learned from; with its own seed and as many they are those of its test.

    Args:
        folder: a run of the task metro-map.
        options: `samples`, how many on each split (agent i is on graph i mod the graphs; None: one a graph); `seed`, of
            the episodes; `split`, whose graphs to play on (None: on both).

    Returns:
        for each split `…_reward`, the mean total reward, its standard error `…_reward_error`, `…_episodes`, and what
        can be reached there: `…_best_possible` and `…_chance`.

    Raises:
        UserError: if the folder is no such run, the split is unknown, or a number is out of range.
    """
    seed, split = options.seed or 0, options.split
    if split not in (None, *SPLITS):
        raise unknown("split", split, SPLITS)
    run = open_run(folder)
    episodes = run.task.graphs if options.samples is None else options.samples
    found: Record = {
        **run.about(),
        "form": run.task.form,
        "seed": seed,
    }
    for name in SPLITS if split is None else (split,):
        found |= measure(run.model, run.task, episodes, seed, split=name)
        found[f"{name}_best_possible"] = run.task.best_possible(name)
        found[f"{name}_chance"] = run.task.chance(name)
    return found
