"""Pictures of glimpses runs: a digit as it was seen, which digits are confused, how several models learn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from fastweights import figures
from fastweights.experiments.experiment import Figure
from fastweights.experiments.glimpses.predict import answer, measure
from fastweights.experiments.grouping import group
from fastweights.experiments.loaded_run import LoadedRun
from fastweights.experiments.plan import Record
from fastweights.tasks import Glimpses
from fastweights.tasks.glimpses import PATCH

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Run = LoadedRun[Glimpses]

SHOWN = "0"
"""The test image drawn where none is named."""


def draw(run: Run, sequence: str | None) -> Iterator[Figure]:
    """Draw one run; the sequence is the number of a test image to look inside with."""
    config = run.config["model"]
    title = f"{config['name']}, {config['hidden']} features, {run.task.reading} glimpses"
    number = SHOWN if sequence is None else sequence
    answered = answer(run.model, run.task, number)
    yield Figure("training", lambda: figures.training_curves(run.metrics, title=title))
    yield Figure("glimpses", lambda: _glimpses(run, number, answered, title))
    yield Figure("confusion", lambda: _confusion(run, title))


def compare(runs: list[Run]) -> Iterator[Figure]:
    """Compare runs, whatever their readings."""
    groups = group(runs)
    metrics = {name: [run.metrics for run in seeds] for name, seeds in groups.items()}
    finished = all(run.result is not None for run in runs)
    tested = {
        name: [run.recorded("test_error_percent") for run in seeds if run.result is not None]
        for name, seeds in groups.items()
    }
    yield Figure(
        "comparison",
        lambda: figures.error_curves(
            metrics, tested=tested if finished else None, title="MNIST glimpses"
        ),
    )


def _glimpses(run: Run, number: str, answered: Record, title: str) -> Drawing:
    image, seen, beliefs = _look(run, number)
    right = "right" if answered["answer"] == answered["truth"] else f"it is a {answered['truth']}"
    return figures.glimpse_path(
        image,
        run.task.path,
        seen,
        beliefs,
        answered["attention"],
        title=f"{title}: test image {number} → {answered['answer']} ({right})",
    )


@torch.no_grad()
def _look(run: Run, number: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a test image, what its glimpses showed, and the digits' probabilities after each of them."""
    examples = run.task.encode(number)
    inputs = run.task.inputs(examples)
    seen = inputs[0, :, : PATCH**2].unflatten(1, (PATCH, PATCH))
    beliefs = run.model.trace(inputs, memory_steps=()).output[0].softmax(-1)
    return examples.images[0].numpy(), seen.numpy(), beliefs.numpy()


def _confusion(run: Run, title: str) -> Drawing:
    recorded = run.result or {}
    counts = recorded.get("test_confusion") or measure(run.model, run.task, "test")["confusion"]
    wrong = 1 - sum(counts[digit][digit] for digit in range(len(counts))) / sum(map(sum, counts))
    return figures.confusion_matrix(counts, title=f"{title}\ntest error {100 * wrong:.2f} %")
