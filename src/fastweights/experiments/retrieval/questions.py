"""The open questions of two notes on fast weights, as cells: what makes the network of Ba et al. 2016 bind.

Each cell's name begins with its question's number, so that `--only "2 *"` runs one question. `inner` is the network of
the paper, `flat` the one of the first note, whose step has one nonlinearity; both answer a step after the question.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from fastweights.experiments.experiment import AnyExperiment, Figure
from fastweights.experiments.retrieval.options import RetrievalOptions
from fastweights.experiments.study import Cell, Row, Study

SEEDS = 5
FORMS = {"inner": "fast-weights", "flat": "fast-weights-flat"}
PAIRS = {2: 4000, 4: 8000, 8: 12_000}
"""Training steps by pairs, the same for both forms and every condition of a question."""
DECAYS, RATES = (0.5, 0.8, 0.9, 0.95, 0.99, 1.0), (0.05, 0.1, 0.25, 0.5, 1.0)
WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Of the contrastive loss; without it the cells of question 2 stand for 0."""
TRIED = (3e-3, 1e-2)
"""Learning rates of the question of inner steps, the same for each."""
LISTENS = (0.0, 0.1, 10.0, 100.0)
"""What the gradient through the read is multiplied by; the flat form of question 2 stands for 1."""
ALPHAS = ((0.0, 0.5), (0.01, 0.5), (0.1, 0.5), (0.1, 0.01), (1.0, 0.01))
"""Where the weight of the fast path starts, and the rate of a write: little is written where h is to stay finite."""
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
CURVE = ("accuracy", "fast_gradient_norm", "slow_gradient_norm")


def questions(experiment: AnyExperiment) -> Study:
    """The open questions, all on associative retrieval."""
    cells = (
        *(*_headline(), *_curriculum(), *_gradient(), *_contrast(), *_paths(), *_stored()),
        *(*_inner_steps(), *_map(), *_ablation()),
    )
    notes = (
        "Test error in percent on 20,000 sequences, answered a step after the question (`--query trailing-read`). A"
        " model that binds nothing errs on 45, 61.65 and 70.01 % at 2, 4 and 8 pairs."
        f" {SEEDS} seeds a cell; where training diverged a seed counts as 100 %.",
    )
    return Study(
        experiment,
        "open-questions",
        "Open questions on fast weights",
        cells,
        notes,
        pictures=pictures,
        tables=tables,
    )


def _cell(name: str, options: RetrievalOptions, **given: Any) -> Cell:
    return Cell(
        name, options, seeds=SEEDS, mode=name, keeps=("steps_to", "no_binding_ceiling"), **given
    )


def _of(form: str, pairs: int = 4, **changes: Any) -> RetrievalOptions:
    given = {"steps": PAIRS[pairs], **changes} if pairs in PAIRS else changes
    return RetrievalOptions(model=FORMS[form], query="trailing-read", pairs=pairs, **given)


def _headline() -> Iterator[Cell]:
    """RMSProp at 1e-4, 50,000 steps of 128 sequences, 100 hidden units; and Adam at the same."""
    for form in FORMS:
        for optimiser in ("rmsprop", "adam"):
            slow = _of(
                form,
                hidden=100,
                steps=50_000,
                batch=128,
                optimiser=optimiser,
                learning_rate=1e-4,
                schedule="constant",
                warmup=0,
            )
            yield _cell(f"1 {form}, {optimiser} 1e-4, 50,000 steps", slow, curve=CURVE)


def _curriculum() -> Iterator[Cell]:
    """Stages of one pair more each, in the same steps as without; question 3 reads their gradients."""
    for form in FORMS:
        for pairs in PAIRS:
            plain = _of(form, pairs)
            yield _cell(f"2 {form}, {pairs} pairs, at once", plain, curve=CURVE)
            stages = tuple(range(1, pairs + 1)) if pairs < 8 else (1, 2, 4, 8)
            staged = dataclasses.replace(plain, curriculum=stages)
            yield _cell(f"2 {form}, {pairs} pairs, curriculum", staged, curve=CURVE)


def _gradient() -> Iterator[Cell]:
    """The flat form, whose gradient through the read counts for less or more."""
    for factor in LISTENS:
        options = _beside(paths="joint", read_gradient=factor)
        yield _cell(f"3 flat, gradient of the read × {factor:g}", options, curve=CURVE)


def _paths() -> Iterator[Cell]:
    """The read beside the nonlinearity, against the flat form of question 2 at 4 pairs."""
    for alpha, rate in ALPHAS:
        options = _beside(paths="separate", alpha=alpha, rate=rate)
        yield _cell(f"5 separate paths, α from {alpha:g}, η {rate:g}", options, curve=CURVE)


def _beside(**backbone: object) -> RetrievalOptions:
    """Return the options of a two-path network that starts and learns as the flat form does."""
    return dataclasses.replace(
        _of("flat", learning_rate=5e-3, clip=5.0),
        model="fast-weights-two-paths",
        set=tuple(f"{name}={value}" for name, value in backbone.items()),
    )


def _contrast() -> Iterator[Cell]:
    """The weight swept, for the flat form at 2 and 4 pairs, and for the inner one beside it."""
    for form, pairs in (("flat", 2), ("flat", 4), ("inner", 4)):
        for weight in WEIGHTS:
            name = f"4 {form}, {pairs} pairs, weight {weight:g}"
            yield _cell(name, _of(form, pairs, contrast=weight), curve=CURVE[:1])


def _stored() -> Iterator[Cell]:
    """W, C and b as they begin: a unit a symbol, or random, by width; W carries a symbol on to the next."""
    for scale in (0.05, 0.5, 1.0):
        kept: dict[str, Any] = {"recurrent_scale": scale, "decay": 1.0}
        yield _cell(
            f"6 a unit a symbol, W={scale:g} I", _of("inner", hidden=64, fixed="identity", **kept)
        )
        for width in (64, 256, 1024):
            yield _cell(
                f"6 random C, {width} units, W={scale:g} I",
                _of("inner", hidden=width, fixed="random", **{**kept, "steps": 4000}),
            )


def _inner_steps() -> Iterator[Cell]:
    """S at equal tuning; the rate with the lowest median counts."""
    for pairs, steps in ((4, 8000), (8, 4000), (16, 4500)):
        for inner in (1, 2, 3, 5):
            for rate in TRIED:
                options = _of(
                    "inner",
                    pairs,
                    inner_steps=inner,
                    learning_rate=rate,
                    steps=steps,
                    curriculum=None,
                )
                if pairs == 16:
                    options = dataclasses.replace(options, curriculum=(4, 8, 16))
                yield _cell(f"8 S={inner}, {pairs} pairs, rate {rate:g}", options, curve=CURVE)


def _map() -> Iterator[Cell]:
    for decay in DECAYS:
        for rate in RATES:
            yield _cell(f"8 λ={decay:g}, η={rate:g}", _of("inner", decay=decay, rate=rate))


def _ablation() -> Iterator[Cell]:
    for form in FORMS:
        for norm in (True, False):
            for nonlinearity in ("relu", "tanh"):
                for scale in (0.0, 0.05, 0.5, 1.0):
                    name = f"9 {form}, {'LN' if norm else 'no LN'}, {nonlinearity}, W={scale:g} I"
                    yield _cell(
                        name,
                        _of(
                            form,
                            layer_norm=norm,
                            nonlinearity=nonlinearity,
                            recurrent_scale=scale,
                        ),
                    )

    for form in FORMS:
        options = _of(form, decay=1.0, rate=0.1, hidden=100, norm_gain=1.0)
        yield _cell(f"9 {form}, λ 1, η 0.1, 100 units", options)


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
            parts.append(f"{_ratio(entry.get('curve', [])):.2g} → {values[-1]:.3g}")
        yield f"| {row['cell'][2:]} | {median(values):.3g} | {', '.join(parts)} |"


def _ratio(curve: Sequence[Mapping[str, Any]]) -> float:
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
