"""What the recorded rows answer to the open questions: two sentences each, every number computed from the rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from fastweights.experiments import registry
from fastweights.experiments.ledger import recorded
from fastweights.experiments.retrieval.question_page import DECAYS, RATES, early_ratio
from fastweights.experiments.retrieval.questions import PAIRS, TRIED, WEIGHTS

FAILS = 10.0
"""Percent of errors above which a seed failed: the paper's headline is an accuracy of more than 90 %."""


class Rows:
    """The recorded rows of a study that hold, by cell."""

    def __init__(self, results: Path, name: str) -> None:
        self.study = registry.studies()[name]
        path = results / name / "cells.jsonl"
        rows = recorded(path) if path.exists() else []
        self.by_cell: dict[str, Mapping[str, Any]] = {
            row["cell"]: row for row in rows if self.study.holds(row)
        }

    def of(self, beginning: str) -> list[str]:
        """Return the recorded cells whose names begin so."""
        return [cell for cell in self.by_cell if cell.startswith(beginning)]

    def entries(self, cell: str) -> list[Mapping[str, Any]]:
        """Return what is recorded of a cell's seeds; nothing where it is not recorded."""
        return [*self.by_cell[cell]["by_seed"].values()] if cell in self.by_cell else []

    def errors(self, cell: str) -> list[float]:
        return [error_of(entry) for entry in self.entries(cell)]

    def error(self, cell: str) -> float:
        """Return the median error of a recorded cell."""
        return median(self.errors(cell))

    def best(self, cells: Iterable[str]) -> str | None:
        """Return the recorded cell of the lowest error."""
        return min((cell for cell in cells if cell in self.by_cell), key=self.error, default=None)

    def failed(self, cells: Iterable[str]) -> str:
        """Return how many of all seeds of some cells failed."""
        errors = [error for cell in cells for error in self.errors(cell)]
        return f"{sum(error > FAILS for error in errors)} of {len(errors)}"

    def each(self, cells: Mapping[str, str]) -> str:
        """Return the errors of cells in words, by what they are called, and which are not recorded."""
        there = [f"{self.error(c):.3g} % {name}" for name, c in cells.items() if c in self.by_cell]
        missing = [name for name, cell in cells.items() if cell not in self.by_cell]
        lacking = f" (not recorded yet {listed(missing)})" if missing else ""
        return f"{listed(there)}{lacking}" if there else "what is not recorded yet"


def error_of(entry: Mapping[str, Any]) -> float:
    return 100.0 if entry["value"] is None else entry["value"]


def listed(parts: Iterable[str]) -> str:
    """Return words with commas between them, and an "and" before the last."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def answers(rows: Rows, moved: Rows) -> dict[str, str]:
    """Return the answer to each question, by number; where nothing is recorded, how to make it."""
    found = {
        number: answer(rows)
        if rows.of(f"{number} ")
        else f'No row is recorded yet: `fastweights reproduce open-questions --only "{number} *"` makes them.'
        for number, answer in ANSWERS.items()
    }
    if rows.of("2 "):
        found["3"] = drowned(rows)  # the runs of question 2 answer the half of it
    return dict(sorted({**found, "7": movement(moved)}.items()))


def recipe(rows: Rows) -> str:
    def form(name: str) -> str:
        cells = {
            label: f"1 {name}, {word} 1e-4, 50,000 steps"
            for label, word in (("with RMSProp", "rmsprop"), ("with Adam", "adam"))
        }
        steps = [
            kept["steps_to"]["90"]
            for cell in cells.values()
            for entry in rows.entries(cell)
            if (kept := entry.get("kept")) and kept["steps_to"]["90"]
        ]
        when = f"; seeds that come past 90 % do after {median(steps):,.0f} steps" if steps else ""
        return f"{rows.each(cells)}{when}"

    return f"The inner loop errs on {form('inner')}. The flat form errs on {form('flat')}."


def curriculum(rows: Rows) -> str:
    def form(name: str) -> str:
        once, staged = (
            {f"at {n}": f"2 {name}, {n} pairs, {way}" for n in PAIRS}
            for way in ("at once", "curriculum")
        )
        return (
            f"{rows.each(once)} pairs without a curriculum and on {rows.each(staged)} with one; of its seeds"
            f" {rows.failed(once.values())} fail without, {rows.failed(staged.values())} with one"
        )

    return f"The inner loop errs on {form('inner')}. The flat form errs on {form('flat')}."


def drowned(rows: Rows) -> str:
    ratios: dict[bool, list[float]] = {True: [], False: []}
    for cell in rows.of("2 "):
        for entry in rows.entries(cell):
            ratios[error_of(entry) > FAILS].append(early_ratio(entry.get("curve", [])))
    best = rows.best(rows.of("3 "))
    factor = (best or "").rpartition("× ")[2]
    own = (
        "whether a larger or smaller one helps is not recorded yet"
        if best is None
        else f"of the factors on the gradient through A the best is {factor}, with {rows.error(best):.3g} % errors"
        f" against {rows.each({'without': '2 flat, 4 pairs, at once'})}"
    )
    if not (ratios[True] and ratios[False]):
        return f"Seeds that fail and seeds that do not are not both recorded yet; {own}."
    failing, learning = median(ratios[True]), median(ratios[False])
    verdict = "not drowned" if failing >= learning / 2 else "drowned where nothing is learned"
    return (
        f"The signal is {verdict}: in the first fifth of training the median of ‖∂A‖ / ‖∂W‖ is {failing:.2g} in the"
        f" {len(ratios[True])} seeds of question 2 that fail and {learning:.2g} in the {len(ratios[False])} that do"
        f" not. As to a learning rate of its own, {own}."
    )


def contrast(rows: Rows) -> str:
    def at(pairs: int) -> str:
        best = rows.best(f"4 flat, {pairs} pairs, weight {weight:g}" for weight in WEIGHTS)
        if best is None:
            return f"at {pairs} pairs nothing is recorded yet"
        plain = rows.each({"without": f"2 flat, {pairs} pairs, at once"})
        verdict = "rescues" if rows.error(best) < FAILS else "does not rescue"
        weight = best.rpartition(" ")[2]
        return f"at {pairs} pairs weight {weight} {verdict} it ({rows.error(best):.3g} % errors, {plain})"

    inner = rows.each({f"at weight {w:g}": f"4 inner, 4 pairs, weight {w:g}" for w in WEIGHTS})
    return f"Of the flat form, {at(2)}, and {at(4)}. The inner loop beside it errs on {inner}."


def paths(rows: Rows) -> str:
    best = rows.best(rows.of("5 ")) or ""
    flat = rows.each({"without": "2 flat, 4 pairs, at once"})
    verdict = "keeps" if rows.error(best) < FAILS else "does not keep"
    return (
        f"A path of its own {verdict} the signal alive: the best start ({best.partition(', ')[2]}) errs on"
        f" {rows.error(best):.3g} %. The flat form errs on {flat}."
    )


def stored(rows: Rows) -> str:
    def best(beginning: str) -> str:
        cell = rows.best(rows.of(beginning))
        return (
            "is not recorded yet"
            if cell is None
            else f"errs on {rows.error(cell):.3g} % at best ({cell.partition(', ')[2]})"
        )

    return (
        f"With a unit for each symbol, storage alone {best('6 a unit')}; binding nothing would err on 61.65 %."
        f" With random C it {best('6 random')}."
    )


def movement(moved: Rows) -> str:
    names = {
        "a vanilla RNN": "vanilla RNN",
        "the attention form": "fast weights, attention form",
        "A written out": "fast weights, explicit A",
        "the cache": "KV cache as large as A",
        "an LSTM": "LSTM",
    }
    cells = {
        label: [f"{name}, T=64, H=128: {what}" for what in ("MB", "cost")]
        for label, name in names.items()
    }
    if not all(cell in moved.by_cell for pair in cells.values() for cell in pair):
        return "Not all rows are recorded yet: `fastweights reproduce data-movement` makes them."
    value = {c: moved.by_cell[c]["value"] for pair in cells.values() for c in pair}
    megabytes, cost = ({label: value[pair[i]] for label, pair in cells.items()} for i in range(2))
    figures = (f"{label} {megabytes[label]:.3g} MB at {cost[label]:,.0f}" for label in cells)
    pay = "pay" if cost["A written out"] < min(cost["the cache"], cost["an LSTM"]) else "do not pay"
    less = cost["A written out"] / cost["the attention form"]
    return (
        f"Fast weights {pay} for their traffic against a cache of A's size and an LSTM of the same width; in the"
        f" attention form, which keeps past states in the place of A, they cost {less:.2g} times less than written out."
        f" For 64 steps of 128 units, in megabytes moved and millions of cost: {listed(figures)}."
    )


def choice(rows: Rows) -> str:
    def at(pairs: int) -> str:
        cells = {
            f"S={inner}": rows.best(f"8 S={inner}, {pairs} pairs, rate {r:g}" for r in TRIED)
            for inner in (1, 2, 3, 5)
        }
        there = {f"at {name}": cell for name, cell in cells.items() if cell}
        return (
            f"with {pairs} pairs {rows.each(there)}" if there else f"with {pairs} pairs nothing yet"
        )

    best = rows.best(f"8 λ={decay:g}, η={rate:g}" for decay in DECAYS for rate in RATES)
    own = (
        "is not recorded yet"
        if best is None
        else f"has its lowest error, {rows.error(best):.3g} %, at {best[2:]}"
    )
    return f"Errors by S are {listed(map(at, (4, 8, 16)))}. The map of λ and η {own}."


def ablation(rows: Rows) -> str:
    def failing(named: Mapping[str, str]) -> str:
        cells = {
            name: [cell for cell in rows.of("9 ") if word in re.split(r", |^9 ", cell)]
            for word, name in named.items()
        }
        return listed(f"{rows.failed(each)} {name}" for name, each in cells.items())

    return (
        f"Over all other settings, {failing({'inner': 'with the inner loop', 'flat': 'in the flat form'})} seeds fail."
        f" Likewise {failing({'LN': 'with layer normalisation', 'no LN': 'without it'})}, and"
        f" {failing({'relu': 'with ReLU', 'tanh': 'with tanh'})}."
    )


ANSWERS = {
    "1": recipe,
    "2": curriculum,
    "3": drowned,
    "4": contrast,
    "5": paths,
    "6": stored,
    "8": choice,
    "9": ablation,
}
