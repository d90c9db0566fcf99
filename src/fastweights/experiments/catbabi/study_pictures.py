"""What the page of a study on catbAbI shows besides its rows: curves and accuracies by task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from fastweights.data.babi import ALL_TASKS, TASK_NAMES
from fastweights.experiments.experiment import Figure
from fastweights.experiments.study import Row

CURVE = ("accuracy", "perplexity", "per_task_accuracy")
"""Metrics whose curves a cell records for these pictures."""
HARD = (3, 14, 16, 19)
"""Tasks where the paper's ablations differ (appendix E, figure 8)."""

Curves = dict[str, list[list[dict[str, Any]]]]


def table_pictures(rows: Sequence[Row]) -> Iterator[Figure]:
    """Draw how each task is learnt, for each mode: figures 17 and 18 of the paper."""
    from fastweights import figures

    for mode in dict.fromkeys(row["mode"] for row in rows):
        found = curves([row for row in rows if row["mode"] == mode], "model")
        if found:
            title = f"catbAbI {mode}, generated stories: validation text while models learn"
            yield Figure(
                f"tasks-{mode.lower()}",
                lambda found=found, title=title: figures.task_curves(
                    found, ALL_TASKS, labels=TASK_NAMES, over="minutes", title=title
                ),
            )


def ablation_pictures(rows: Sequence[Row]) -> Iterator[Figure]:
    """Draw the curves of appendix E: over all tasks, and of those where the paper has a difference."""
    from fastweights import figures

    for name, cells in (("reads", READS), ("keys", KEYS)):
        found = curves([row for row in rows if row["cell"] in cells], "cell")
        if found:
            title = f"catbAbI QA, appendix E, {name}: validation text"
            yield Figure(
                f"curves-{name}",
                lambda found=found, title=title: figures.stream_curves(found, title=title),
            )
            yield Figure(
                f"tasks-{name}",
                lambda found=found, title=title: figures.task_curves(
                    found, ALL_TASKS, shown=HARD, labels=TASK_NAMES, title=title
                ),
            )


READS = ("three reads", "two reads", "one read")
KEYS = ("three reads", "keys concatenated")
"""The cells of the two comparisons of appendix E."""


def curves(rows: Sequence[Row], name: str) -> Curves:
    """Return the curves of the seeds of those rows that have them, of all tasks, by what a field of the row says."""
    found: Curves = {}
    for row in rows:
        kept = [entry["curve"] for entry in row["by_seed"].values() if entry.get("curve")]
        if kept and all(_whole(point) for seed in kept for point in seed):
            found[row[name]] = kept
    return found


def _whole(point: Row) -> bool:
    return len(point["per_task_accuracy"]) == len(ALL_TASKS)


def by_task(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a table of the accuracy on each task, mean over the seeds, for each mode."""
    for mode in dict.fromkeys(row["mode"] for row in rows):
        columns = {row["model"]: _by_task(row) for row in rows if row["mode"] == mode}
        columns = {model: values for model, values in columns.items() if values}
        if not columns:
            continue
        yield f"Accuracy in percent by task, {mode}:\n"
        yield "| task | " + " | ".join(columns) + " |"
        yield "|---|" + "---|" * len(columns)
        for place, task in enumerate(ALL_TASKS):
            shown = (f"{values[place]:.1f}" for values in columns.values())
            yield f"| {task} {TASK_NAMES[task]} | {' | '.join(shown)} |"
        yield ""


def _by_task(row: Row) -> list[float]:
    """Return a row's accuracies by task in percent, mean over the seeds; nothing where not all tasks are there."""
    kept = [entry.get("kept", {}) for entry in row["by_seed"].values()]
    lists = [list(each.get(BY_TASK) or ()) for each in kept]
    if not lists or any(len(each) != len(ALL_TASKS) for each in lists):
        return []
    return [
        100 * sum(math.nan if v is None else v for v in task) / len(task)
        for task in zip(*lists, strict=True)
    ]


BY_TASK = "release_test_per_task_accuracy"
"""The field of a result that a cell records for the table."""
