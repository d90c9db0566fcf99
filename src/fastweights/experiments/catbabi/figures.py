"""Pictures of catbAbI runs: learning curves, accuracy by task, and what each read of an answer took from the past."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fastweights import figures
from fastweights.data.babi import TASK_NAMES
from fastweights.errors import UserError
from fastweights.experiments.catbabi.paper import ACCURACY, PERPLEXITY
from fastweights.experiments.catbabi.predict import answered
from fastweights.experiments.experiment import Figure
from fastweights.experiments.grouping import group
from fastweights.experiments.loaded_run import LoadedRun
from fastweights.tasks import CatBAbI

Run = LoadedRun[CatBAbI]

SHOWN = (
    "wolves are afraid of cats. sheep are afraid of wolves. mice are afraid of wolves. cats are afraid of sheep."
    " gertrude is a mouse. jessica is a mouse. emily is a cat. winona is a wolf. what is gertrude afraid of?"
)
"""A story whose answer takes two steps: who is gertrude, and what are mice afraid of. Task 15's words are in it."""


def draw(run: Run, sequence: str | None) -> Iterator[Figure]:
    """Draw one run; the sequence is a story to look inside with (None: one of ours), its last question is drawn."""
    name, mode = run.name, run.plan["mode"]
    title = f"{name}, catbAbI {mode}"
    published = {name: _published(name, mode)}
    answer = answered(run.model, run.task.vocabulary, sequence or _story(run.task))[-1]
    weights = answer.read_weights
    yield Figure(
        "training",
        lambda: figures.stream_curves({name: [run.metrics]}, published=published, title=title),
    )
    accuracies, split = _by_task(run)
    yield Figure(
        "tasks",
        lambda: figures.task_accuracy(
            accuracies, run.task.tasks, labels=TASK_NAMES, title=f"{title}, {split}"
        ),
    )
    if weights is not None:
        yield Figure(
            "reads",
            lambda: figures.read_grid(
                # Each read in its own unit: what one takes is not measured against the others.
                weights / weights.abs().amax(1, keepdim=True).clamp(min=1e-30),
                answer.words,
                answer=answer.answer,
                probability=answer.probability,
                title=f"{title}; each read as a share of its largest weight",
            ),
        )


def compare(runs: list[Run]) -> Iterator[Figure]:
    """Compare runs on the same tasks in the same mode.

    Raises:
        UserError: if they are not.
    """
    first = runs[0]
    modes = {run.plan["mode"] for run in runs}
    if len(modes) > 1 or any(run.task.tasks != first.task.tasks for run in runs):
        raise UserError(
            "runs of different modes or on different tasks cannot be compared in one figure"
        )
    (mode,) = modes
    groups = group(runs)
    published = {name: _published(seeds[0].name, mode) for name, seeds in groups.items()}
    metrics = {name: [run.metrics for run in seeds] for name, seeds in groups.items()}
    title = f"catbAbI {mode}"
    yield Figure(
        "comparison",
        lambda: figures.stream_curves(
            metrics, over=("step", "minutes"), published=published, title=title
        ),
    )
    accuracies = {
        name: _mean([_by_task(run)[0] for run in seeds]) for name, seeds in groups.items()
    }
    yield Figure(
        "tasks",
        lambda: figures.task_accuracy(
            accuracies, first.task.tasks, labels=TASK_NAMES, title=f"{title}, {_by_task(first)[1]}"
        ),
    )


def _story(task: CatBAbI) -> str:
    """A story to look inside with: `SHOWN`, or where its words are not all known the first of the test split."""
    try:
        task.encode(SHOWN)
        return SHOWN
    except UserError:
        segment = next(iter(task.segments("test", 1, 1000)))
        asked = int(segment.answers[0].nonzero()[0])
        return task.decode(segment.tokens[0, 1 : asked + 1])


def _published(model: str, mode: str) -> dict[str, float]:
    """The paper's test figures of a model, where it has them."""
    found = {}
    if (model, mode) in ACCURACY:
        found["accuracy"] = ACCURACY[model, mode] / 100
        found["perplexity"] = PERPLEXITY[model, mode]
    return found


def _by_task(run: Run) -> tuple[list[float], str]:
    """A run's accuracy by task, of its test where there has been one, and which split that is."""
    figure = "per_task_accuracy"
    rows = run.metrics[-1][figure] if run.result is None else run.recorded(figure)
    split = "validation text" if run.result is None else "test split"
    return [math.nan if value is None else value for value in rows], split


def _mean(rows: list[list[float]]) -> list[float]:
    return [sum(column) / len(column) for column in zip(*rows, strict=True)]
