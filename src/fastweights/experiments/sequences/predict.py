"""Test a run on new sequences, of its own length or another; what a terminal shows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from fastweights import tasks
from fastweights.errors import check_count, check_seed
from fastweights.experiments.experiment import Evaluation
from fastweights.experiments.loaded_run import LoadedRun, open_run
from fastweights.experiments.plan import Record
from fastweights.experiments.sequences.options import SequenceTest
from fastweights.experiments.sequences.plan import MAX_SAMPLES, SequencePlan, words_of
from fastweights.experiments.terminal import (
    Shown,
    Steps,
    counted,
    figure_table,
    progress_bar,
    training_rows,
)
from fastweights.models import SequenceModel
from fastweights.tasks import InContextRegression, SequenceTask, StateTracking
from fastweights.tasks.sequences import mean_score, score_by_step
from fastweights.training import Outcome, score

TEST_SEED = 2**31
"""Added to a run's seed for its test sequences, far from the seeds of training and evaluation data."""


def evaluate(model: SequenceModel, plan: SequencePlan, outcome: Outcome) -> Evaluation:
    """Test a trained model on new sequences."""
    trained, task = plan.build_task(), plan.test_task()
    tested = measure(model, task, trained.length, plan.test_samples, TEST_SEED + plan.seed)
    return Evaluation({"about": plan.words(), **tested, **_validated(task, outcome)}, [])


def _validated(task: SequenceTask, outcome: Outcome) -> Record:
    """Return how well the last evaluation went, of sequences as in training."""
    value = outcome.metrics[task.measure]
    if task.measure == "accuracy":
        return {"validation_error_percent": 100 * (1 - value)}
    return {"validation_squared_error": value}


def measure(
    model: SequenceModel, task: SequenceTask, trained: int, samples: int, seed: int
) -> Record:
    """Measure a model on new sequences.

    Args:
        model: in whatever mode.
        task: what to sample, of whatever length.
        trained: symbols of a sequence in training. Of longer ones it is the steps behind so many that count.
        samples: sequences.
        seed: of those.

    Returns:
        the mean score with what there is to compare it with, and the score of each step.
    """
    sequences = task.sample(samples, torch.Generator().manual_seed(seed))
    with progress_bar("test", "sequences", samples) as on_progress:
        found = score(model, task, sequences, on_progress=on_progress)
    places = task.places(sequences)
    by_step, counts = score_by_step(found.scores, places), places.sum(0)
    longer = isinstance(task, StateTracking) and task.length > trained
    first = trained if longer else 0
    tested = mean_score(by_step, counts, first)
    shared = {
        "test_samples": samples,
        "test_length": task.length,
        "trained_length": trained,
        "chance": task.chance_from(first),
        "best_possible": task.best_possible,
        "per_step_score": by_step,
    }
    if isinstance(task, InContextRegression):
        ridge = (task.ridge(sequences) - sequences.answer[:, ::2]).square()
        beside = {"ridge_squared_error": float(ridge.mean())}
        curve = {"per_step_ridge": score_by_step(ridge.flatten(), places)}
        return {"test_squared_error": tested, **beside, **shared, **curve}
    figures = {"test_accuracy": tested, "test_accuracy_percent": 100 * tested}
    if longer:
        within = mean_score(by_step[:first], counts[:first])
        figures["trained_accuracy_percent"] = 100 * within
    if isinstance(task, tasks.MQAR):
        figures["no_binding_ceiling"] = task.no_binding_ceiling
    return {**figures, **shared, "cross_entropy": float(found.losses.mean())}


def test(folder: Path, options: SequenceTest) -> Record:
    """Test a run on new sequences; with its own seed and length and as many they are those of its recorded test."""
    seed, samples = options.seed or 0, 1000 if options.samples is None else options.samples
    check_count("samples", samples, MAX_SAMPLES)
    check_seed(seed)
    run = open_run(folder)
    tested = measure(
        run.model, _task(run, options.length), run.task.length, samples, TEST_SEED + seed
    )
    return {**run.about(), "about": about(run), "seed": seed, **tested}


def about(run: LoadedRun[Any]) -> str:
    """Return what sets the task of a run apart."""
    return words_of(run.config["task"]["options"])


def _task(run: LoadedRun[Any], length: int | None) -> SequenceTask:
    """Return the task of a run with sequences of another length; None: as in its recorded test.

    Raises:
        UserError: if the task has none of that length.
    """
    config = run.config["task"]
    name = "points" if config["name"] == "in-context-regression" else "length"
    chosen = run.plan.get("test_length") if length is None else length
    if chosen is None:
        return run.task
    return tasks.build(config["name"], **{**config["options"], name: chosen})


def ask(folder: Path, data_dir: Path | None = None) -> Callable[[str], Record]:
    """Load a run of state tracking that answers typed sequences such as `1 0 1 1`, of any length.

    Returns:
        a function from a sequence to: `answers` after each symbol, their `probabilities`, and the `truth`.
    """
    run = open_run(folder)
    return lambda sequence: {"sequence": sequence, **_answer(run, sequence)}


@torch.no_grad()
def _answer(run: LoadedRun[StateTracking], sequence: str) -> Record:
    tokens, automaton = run.task.encode(sequence)[None], run.task.automaton
    logits, _ = run.model(tokens, need_state=False)
    probabilities, answers = logits[0].float().softmax(-1).max(-1)
    return {
        "symbols": run.task.decode(tokens[0]).split(),
        "answers": [automaton.classes[number] for number in answers.tolist()],
        "probabilities": probabilities.tolist(),
        "truth": [automaton.classes[number] for number in automaton.run(tokens)[0].tolist()],
    }


def report_answer(answer: Record) -> Iterator[Shown]:
    """Show the answer after each symbol beside the right one."""
    shares = [f"{100 * share:.1f}" for share in answer["probabilities"]]
    rows = {"symbol": answer["symbols"], "answer": answer["answers"], "%": shares}
    widest = max(len(each) for column in rows.values() for each in column)
    yield Steps({**rows, "right": answer["truth"]}, widest + 2)


def report(result: Record, samples: Sequence[Record]) -> Iterator[Shown]:
    """Show what came of training."""
    yield figure_table(_title(result), [*_tested(result), *training_rows(result)])


def report_test(tested: Record) -> Iterator[Shown]:
    """Show a test on new sequences."""
    yield figure_table(_title(tested), _tested(tested))


def _title(figures: Record) -> str:
    return f"{figures['model']}, {figures['about']}"


def _tested(figures: Record) -> list[tuple[str, str]]:
    length, trained = figures["test_length"], figures["trained_length"]
    sequences = f"{counted(figures['test_samples'], 'new sequence')} of {length:,} steps"
    if "test_squared_error" in figures:
        return [
            ("squared error", f"{figures['test_squared_error']:.4f}  ({sequences})"),
            ("ridge regression", f"{figures['ridge_squared_error']:.4f}"),
            ("always 0", f"{figures['chance']:.4f}"),
        ]
    rows = [("accuracy", f"{figures['test_accuracy_percent']:.2f} %  ({sequences})")]
    if "trained_accuracy_percent" in figures:
        within = f"{figures['trained_accuracy_percent']:.2f} %"
        rows = [
            (f"accuracy beyond {trained:,} steps", rows[0][1]),
            (f"within {trained:,}, as trained", within),
        ]
    if "no_binding_ceiling" in figures:
        rows.append(("no-binding ceiling", f"{100 * figures['no_binding_ceiling']:.2f} %"))
    return [*rows, ("without memory", f"{100 * figures['chance']:.2f} %")]
