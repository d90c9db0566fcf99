"""Test a run of the metro maps on episodes that it has not seen, actions sampled; what a terminal shows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fastweights.errors import check_choice
from fastweights.experiments.actor_critic import evaluate as evaluate_agents
from fastweights.experiments.actor_critic import measure
from fastweights.experiments.experiment import Evaluation
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.metro_map.options import MILESTONES, MetroMapTest
from fastweights.experiments.metro_map.plan import MetroMapPlan
from fastweights.experiments.plan import Record
from fastweights.experiments.terminal import Shown, figure_table, training_rows
from fastweights.models import SequenceModel
from fastweights.tasks.environment import SPLITS
from fastweights.training import Outcome


def evaluate(model: SequenceModel, plan: MetroMapPlan, outcome: Outcome) -> Evaluation:
    """Test trained agents; the evaluations at the milestones are among the figures."""
    task = plan.task()
    evaluated = {row["step"]: row["reward"] for row in outcome.history}
    figures = {
        **evaluate_agents(model, plan, outcome),
        **{f"test_reward_{step}": evaluated[step] for step in MILESTONES if step in evaluated},
        "form": plan.rules,
        "best_possible": task.best_possible("test"),
        "chance": task.chance("test"),
    }
    return Evaluation(figures, [])


def test(folder: Path, options: MetroMapTest) -> Record:
    """Play episodes that the run has not learned from; with its own seed and as many they are those of its test.

    Agent i is on graph i mod the graphs; `samples` is for each split (None: one a graph).

    Returns:
        for each split `…_reward`, the mean total reward, its standard error `…_reward_error`, `…_episodes`, and what
        can be reached there: `…_best_possible` and `…_chance`.
    """
    seed, split = options.seed or 0, options.split
    if split is not None:
        check_choice("split", split, SPLITS)
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


HEADING = "mean reward of an episode"


def report(result: Record, samples: Sequence[Record]) -> Iterator[Shown]:
    """Show what came of training."""
    pace, train = result["updates_per_second"], result["train_reward"]
    length, *machine = training_rows(result, "update")
    rows = [
        ("test maps", _reward(result, "test")),
        ("train maps, the last updates", "" if train is None else f"{train:.2f}"),
        *_bounds(result, ""),
        length,
        ("pace", "" if pace is None else f"{pace:.2f} updates a second"),
        *machine,
    ]
    yield figure_table(_title(result), rows, HEADING)


def report_test(tested: Record) -> Iterator[Shown]:
    """Show a test on fresh episodes."""
    rows = []
    for split in ("train", "test"):
        if f"{split}_reward" in tested:
            rows += [(f"{split} maps", _reward(tested, split)), *_bounds(tested, f"{split}_")]
    yield figure_table(_title(tested), rows, HEADING)


def _title(figures: Record) -> str:
    return f"{figures['model']}, metro maps ({figures['form']})"


def _reward(figures: Record, split: str) -> str:
    value, error = figures[f"{split}_reward"], figures[f"{split}_reward_error"]
    episodes = figures[f"{split}_episodes"]
    return f"{value:.2f} ± {error:.2f}  ({episodes:,} fresh episodes, actions sampled)"


def _bounds(figures: Record, prefix: str) -> list[tuple[str, str]]:
    return [
        ("  best possible, map known", f"{figures[f'{prefix}best_possible']:.2f}"),
        ("  random moves", f"{figures[f'{prefix}chance']:.2f}"),
    ]
