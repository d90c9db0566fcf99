"""Test a run of Catch: episodes that it has not seen, actions sampled from its policy."""

from __future__ import annotations

from pathlib import Path

from fastweights.experiments.actor_critic import AgentTest, measure
from fastweights.experiments.actor_critic import evaluate as evaluate_agents
from fastweights.experiments.catch.defaults import GOAL
from fastweights.experiments.catch.plan import CatchPlan
from fastweights.experiments.experiment import Evaluation
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.plan import Record
from fastweights.models import SequenceModel
from fastweights.tasks import Catch
from fastweights.training import Outcome


def evaluate(model: SequenceModel, plan: CatchPlan, outcome: Outcome) -> Evaluation:
    """Test trained agents; the frames to reach are those before the first evaluation at `GOAL`."""
    tested = evaluate_agents(model, plan, outcome)
    reached = (row["step"] for row in outcome.history if row["reward"] >= GOAL)
    first = next(reached, None)
    about = {
        "size": plan.size,
        "visible": plan.visible,
        "frames_to_reach": None if first is None else first * plan.frames,
        **_beside(tested, plan.task()),
    }
    return Evaluation({**tested, **about}, [])


def test(folder: Path, options: AgentTest) -> Record:
    """Play episodes that the run has not learned from; with its own seed and as many they are those of its test.

    Raises:
        UserError: if the folder is no run of the task, or a number is out of range.
    """
    run = open_run(folder)
    seed, samples = options.seed or 0, options.samples
    episodes = run.config["recipe"]["test_episodes"] if samples is None else samples
    tested = measure(run.model, run.task, episodes, seed)
    return {
        **run.about(),
        "size": run.task.size,
        "visible": run.task.visible,
        "seed": seed,
        **tested,
        **_beside(tested, run.task),
    }


def _beside(tested: Record, task: Catch) -> Record:
    """Return the share of balls that a reward means, and what there is to compare it with."""
    return {
        "caught": (1 + tested["test_reward"]) / 2,
        "best_possible": task.best_possible,
        "chance": task.chance,
    }
