"""Test a language model on a whole split, at temperature 1 and at the one that suits the validation text."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from jaxtyping import Int64
from torch import Tensor

from fastweights.experiments.experiment import Evaluation
from fastweights.experiments.plan import Record
from fastweights.experiments.terminal import progress_bar
from fastweights.experiments.text.options import text_name
from fastweights.experiments.text.paper import MILESTONES
from fastweights.experiments.text.plan import TextPlan
from fastweights.experiments.text.progress import epochs_of
from fastweights.models import SequenceModel
from fastweights.tasks import Text
from fastweights.training import Outcome, evaluate_words, perplexity
from fastweights.training.sources.text_loss import fitting

TEMPERATURES = tuple(round(0.8 + 0.01 * step, 2) for step in range(41))
"""Of the softmax, from which the validation text chooses: .80 to 1.20."""

VALIDATION_ROWS = 10
"""Rows that the validation text is read in, as in training."""


def evaluate(model: SequenceModel, plan: TextPlan, outcome: Outcome) -> Evaluation:
    """Choose the softmax's temperature on the validation text, then test with it and without.

    Returns:
        the figures to record, those of the training among them; no sample questions.
    """
    task = plan.task()
    valid, tested = task.split("valid"), task.split("test")
    valid_rows = fitting(len(valid), VALIDATION_ROWS)
    test_rows = fitting(len(tested), plan.test_rows)
    losses = lowest(lambda grid: measure(model, valid, "valid", valid_rows, grid), TEMPERATURES)
    temperature = min(losses, key=lambda each: losses[each])
    start = time.perf_counter()
    temperatures = tuple(dict.fromkeys((1.0, temperature)))
    test = measure(model, tested, "test", test_rows, temperatures)
    seconds = time.perf_counter() - start
    figures = {
        "data": text_name(plan.data),
        "preset": plan.preset,
        "notes": task.notes,
        **training_figures(outcome, plan.ends(), task.counts["train"]),
        "validation_perplexity": perplexity(losses[1.0]),
        "validation_bits_per_word": bits_per_word(losses[1.0], task, "valid"),
        "test_perplexity": perplexity(test[1.0]),
        "test_perplexity_tuned": perplexity(test[temperature]),
        "temperature": temperature,
        "test_bits_per_word": bits_per_word(test[1.0], task, "test"),
        "test_words": task.words["test"],
        "test_rows": test_rows,
        "unit": plan.unit,
        "test_seconds": seconds,
    }
    return Evaluation(figures, [])


def training_figures(outcome: Outcome, ends: tuple[int, ...], words: int) -> Record:
    """Return how the training went: epochs, words a second, validation perplexity by the epochs that the authors' log
    is quoted at; `ends` are the steps after which an epoch of so many words ends.
    """
    epochs = epochs_of(outcome.steps, ends)
    at = {row["step"]: row["validation_perplexity"] for row in outcome.history}
    reached = [epoch for epoch in MILESTONES if epoch <= min(epochs, len(ends))]
    return {
        "epochs": int(epochs) if epochs.is_integer() else epochs,
        "words_per_second": words * epochs / max(outcome.seconds, 1e-9),
        **{
            f"validation_perplexity_{epoch}": at[ends[epoch - 1]]
            for epoch in reached
            if ends[epoch - 1] in at
        },
    }


def measure(
    model: SequenceModel,
    tokens: Int64[Tensor, " tokens"],
    title: str,
    rows: int,
    temperatures: tuple[float, ...] = (1.0,),
) -> dict[float, float]:
    """Measure the mean cross-entropy of a text for each temperature, in nats a token, with a bar on a terminal."""
    with progress_bar(f"{title} text", "words", len(tokens)) as on_progress:
        return evaluate_words(
            model, tokens, rows=rows, temperatures=temperatures, on_progress=on_progress
        )


def bits_per_word(loss: float, task: Text, split: str) -> float:
    """Return the bits that a split takes per word, whatever its tokens are."""
    return loss / math.log(2) * task.counts[split] / task.words[split]


def lowest(
    measure: Callable[[tuple[float, ...]], dict[float, float]], grid: Sequence[float]
) -> dict[float, float]:
    """Find where on a grid a convex function is lowest, with few calls for several values each.

    The cross-entropy of a softmax is convex in 1 / temperature: a value that is lower than both its neighbours is the
    lowest of all.

    Args:
        measure: returns the function at some values.
        grid: the values, rising; 1 is always measured if it is one of them.

    Returns:
        the function at all values that were measured, the lowest among them.

    Example:
        >>> found = lowest(lambda grid: {x: (1 / x - 1 / 0.93) ** 2 for x in grid}, TEMPERATURES)
        >>> min(found, key=found.get), len(found)
        (0.93, 6)
    """
    middle, last = len(grid) // 2, len(grid) - 1
    found = measure(tuple(dict.fromkeys((grid[0], grid[middle], grid[last]))))
    while True:
        known = [place for place, value in enumerate(grid) if value in found]
        best = min(known, key=lambda place: found[grid[place]])
        around = [p for p in (best - 1, best + 1) if 0 <= p <= last and grid[p] not in found]
        if not around:
            return found
        guess = _vertex([(1 / grid[p], found[grid[p]]) for p in _beside(known, best)])
        near = min(range(len(grid)), key=lambda place: abs(1 / grid[place] - guess))
        wanted = [p for p in (near - 1, near, near + 1) if 0 <= p <= last and grid[p] not in found]
        found |= measure(tuple(grid[place] for place in wanted or around))


def _beside(known: list[int], best: int) -> list[int]:
    """The lowest place and its known neighbours, three in all where there are as many."""
    place = known.index(best)
    start = min(max(0, place - 1), max(0, len(known) - 3))
    return known[start : start + 3]


def _vertex(points: list[tuple[float, float]]) -> float:
    """Where the parabola through three points is lowest; of fewer, or on a line, the lowest point."""
    lowest_of = min(points, key=lambda point: point[1])[0]
    if len(points) < 3:
        return lowest_of
    (a, p), (b, q), (c, r) = points
    curvature = (b - a) * (q - r) - (b - c) * (q - p)
    if curvature == 0:
        return lowest_of
    return b - 0.5 * ((b - a) ** 2 * (q - r) - (b - c) ** 2 * (q - p)) / curvature
