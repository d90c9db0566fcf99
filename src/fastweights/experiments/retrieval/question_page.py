"""What the page of the open questions shows: a table and a picture of each, with every seed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from fastweights.experiments.experiment import Figure
from fastweights.experiments.study import Row

REACHED = ("90", "99", "99.9")
QUESTIONS = {
    "1": "Does the paper's own recipe reach its figure?",
    "2": "What does a curriculum buy?",
    "3": "Is the gradient of the fast pathway drowned?",
    "4": "Does a contrastive loss rescue the flat form?",
    "5": "Does a path of its own keep the fast signal alive?",
    "6": "How far does one-shot storage alone get, with the read-out trained only?",
    "8": "How to choose S, λ and η?",
    "9": "What makes the network bind at all?",
}
DECAYS, RATES = (0.5, 0.8, 0.9, 0.95, 0.99, 1.0), (0.05, 0.1, 0.25, 0.5, 1.0)
"""Of the map, by which its cells are named."""


def steps_to(history: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    """Return the steps after which the validation accuracy was first at 90, 99 and 99.9 %; None: never.

    Example:
        >>> steps_to([{"step": 0, "accuracy": 0.1}, {"step": 500, "accuracy": 0.95}])
        {'90': 500, '99': None, '99.9': None}
    """
    found = {}
    for name in REACHED:
        reached = (row["step"] for row in history if 100 * row["accuracy"] >= float(name))
        found[name] = next(reached, None)
    return found


def tables(rows: Sequence[Row]) -> Iterator[str]:
    """Write a table a question: medians, every seed, and the steps to each accuracy."""
    for number, question in QUESTIONS.items():
        chosen = [row for row in rows if row["cell"].startswith(f"{number} ")]
        if number == "3":
            yield from _gradients(question, [row for row in rows if row["cell"][0] in "23"])
        elif chosen:
            yield from ("", f"## {number}. {question}", "")
            yield "| cell | median | every seed | at 90, 99, 99.9 % after steps |"
            yield "|---|---|---|---|"
            for row in chosen:
                values = [_error(entry["value"]) for entry in row["by_seed"].values()]
                seeds = ", ".join(f"{value:.3g}" for value in values)
                yield f"| {row['cell'][2:]} | {median(values):.3g} | {seeds} | {_reached(row)} |"


def _reached(row: Row) -> str:
    """Return the median steps to each accuracy, of the seeds that reach it; behind them how many do."""
    parts = []
    for name in REACHED:
        kept = [entry.get("kept", {}).get("steps_to", {}) for entry in row["by_seed"].values()]
        steps = [each[name] for each in kept if each.get(name) is not None]
        parts.append(f"{median(steps):,.0f} ({len(steps)})" if steps else "–")
    return ", ".join(parts)


def _gradients(question: str, rows: Sequence[Row]) -> Iterator[str]:
    """Write the ratio ‖∂A‖ / ‖∂W‖ in the first fifth of training, beside what came of it."""
    if rows:
        yield from ("", f"## 3. {question}", "")
        yield "| cell | median error | seed: ‖∂A‖ / ‖∂W‖ in the first fifth → error |"
        yield "|---|---|---|"
    for row in rows:
        parts, values = [], []
        for entry in row["by_seed"].values():
            values.append(_error(entry["value"]))
            parts.append(f"{early_ratio(entry.get('curve', [])):.2g} → {values[-1]:.3g}")
        yield f"| {row['cell'][2:]} | {median(values):.3g} | {', '.join(parts)} |"


def early_ratio(curve: Sequence[Mapping[str, Any]]) -> float:
    """Return the median of ‖∂A‖ / ‖∂W‖ over the first fifth of a curve."""
    early = [point for point in curve if point["step"] <= curve[-1]["step"] / 5]
    found = [
        point["fast_gradient_norm"] / point["slow_gradient_norm"]
        for point in early
        if point["fast_gradient_norm"] is not None and point["slow_gradient_norm"]
    ]
    return median(found) if found else float("nan")


def pictures(rows: Sequence[Row]) -> Iterator[Figure]:
    """Draw every seed of each question, and the map of decay and rate."""
    from fastweights import figures

    for number, question in QUESTIONS.items():
        cells = [row for row in rows if row["cell"].startswith(f"{number} ")]
        found = {
            row["cell"][2:]: [entry["value"] for entry in row["by_seed"].values()]
            for row in cells
            if "λ=" not in row["cell"]
        }
        without = {
            row["cell"][2:]: 100 * (1 - next(iter(kept)))
            for row in cells
            if (
                kept := [
                    entry["kept"]["no_binding_ceiling"]
                    for entry in row["by_seed"].values()
                    if "kept" in entry
                ]
            )
        }
        if found:
            yield Figure(
                f"question-{number}",
                lambda found=found, without=without, question=question: figures.seeds(
                    found, without, question
                ),
            )
    measured = {row["cell"]: row["median"] for row in rows if "λ=" in row["cell"]}
    if measured:
        grid = np.full((len(DECAYS), len(RATES)), np.nan)
        for name, value in measured.items():
            decay, rate = map(float, re.findall(r"[λη]=([\d.]+)", name))
            grid[DECAYS.index(decay), RATES.index(rate)] = np.nan if value is None else value
        yield Figure(
            "decay-and-rate",
            lambda: figures.setting_map(
                grid, ("decay λ", DECAYS), ("rate η", RATES), "median test error (%), 4 pairs"
            ),
        )


def _error(value: float | None) -> float:
    return 100.0 if value is None else value
