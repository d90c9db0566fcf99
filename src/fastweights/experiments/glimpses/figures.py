"""Pictures of glimpses runs: a digit as it was seen, which digits are confused, how several models learn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from fastweights.experiments.glimpses.predict import asked, scored
from fastweights.experiments.loaded_run import Opened
from fastweights.experiments.plotting import Figure, group
from fastweights.tasks.glimpses import PATCH

SHOWN = "0"
"""The test image drawn where none is named."""


def single(run: Opened, shown: str | None) -> Iterator[Figure]:
    """Draw one run; `shown` is the number of a test image to look inside with."""
    from fastweights import figures

    config = run.config["model"]
    title = f"{config['name']}, {config['hidden']} features, {run.task.reading} glimpses"
    number = SHOWN if shown is None else shown
    answer = asked(run.model, run.task, number)
    yield Figure("training", lambda: figures.training_curves(run.metrics, title=title))
    yield Figure("glimpses", lambda: _glimpses(run, number, answer, title))
    yield Figure("confusion", lambda: _confusion(run, title))


def several(runs: list[Opened]) -> Iterator[Figure]:
    """Compare runs, whatever their readings."""
    from fastweights import figures

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


def _glimpses(run: Opened, number: str, answer: dict[str, Any], title: str) -> Any:
    from fastweights import figures

    image, seen, beliefs = _looked(run, number)
    right = "right" if answer["answer"] == answer["truth"] else f"it is a {answer['truth']}"
    return figures.glimpse_path(
        image,
        run.task.path,
        seen,
        beliefs,
        answer["attention"],
        title=f"{title}: test image {number} → {answer['answer']} ({right})",
    )


@torch.no_grad()
def _looked(run: Opened, number: str) -> tuple[Any, Any, Any]:
    """Give a test image, what its glimpses showed, and the digits' probabilities after each of them."""
    examples = run.task.encode(number)
    inputs = run.task.inputs(examples)
    seen = inputs[0, :, : PATCH**2].unflatten(1, (PATCH, PATCH))
    beliefs = run.model.trace(inputs, memory_steps=()).output[0].softmax(-1)
    return examples.images[0].numpy(), seen.numpy(), beliefs.numpy()


def _confusion(run: Opened, title: str) -> Any:
    from fastweights import figures

    recorded = run.result or {}
    counts = recorded.get("test_confusion") or scored(run.model, run.task, "test")["confusion"]
    wrong = 1 - sum(counts[digit][digit] for digit in range(len(counts))) / sum(map(sum, counts))
    return figures.confusion_matrix(counts, title=f"{title}\ntest error {100 * wrong:.2f} %")
