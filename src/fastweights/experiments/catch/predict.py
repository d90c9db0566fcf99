"""Test a run of Catch on episodes that it has not seen, actions sampled; what a terminal shows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fastweights.experiments.actor_critic import AgentTest, measure
from fastweights.experiments.actor_critic import evaluate as evaluate_agents
from fastweights.experiments.catch.options import GOAL
from fastweights.experiments.catch.plan import CatchPlan
from fastweights.experiments.experiment import Evaluation
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.plan import Record
from fastweights.experiments.terminal import Shown, figure_table, training_rows
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
    """Play episodes that the run has not learned from; with its own seed and as many they are those of its test."""
    run = open_run(folder)
    seed, samples = options.seed or 0, options.samples
    episodes = run.plan["test_episodes"] if samples is None else samples
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


def report(result: Record, samples: Sequence[Record]) -> Iterator[Shown]:
    """Show what came of training."""
    pace = result["frames"] / max(result["train_seconds"], 1e-9)
    reached = result["frames_to_reach"]
    rows = [
        *_tested(result),
        ("mean reward of .95", "not reached" if reached is None else f"after {reached:,} frames"),
        ("frames", f"{result['frames']:,}, {pace:,.0f} a second"),
        *training_rows(result, "update"),
    ]
    yield figure_table(_title(result), rows)


def report_test(tested: Record) -> Iterator[Shown]:
    """Show a test on fresh episodes."""
    yield figure_table(_title(tested), _tested(tested))


def _title(figures: Record) -> str:
    return f"{figures['model']}, Catch ({figures['size']}, {figures['visible']})"


def _tested(figures: Record) -> list[tuple[str, str]]:
    reward = f"{figures['test_reward']:.3f} ± {figures['test_reward_error']:.3f}"
    episodes = f"{figures['test_episodes']:,} fresh episodes, actions sampled"
    return [
        ("mean reward", f"{reward}  ({episodes})"),
        ("caught", f"{100 * figures['caught']:.2f} %"),
        ("without seeing the ball", f"{figures['chance']:.3f}"),
        ("best possible", f"{figures['best_possible']:.3f}"),
    ]
