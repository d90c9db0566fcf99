"""The open questions of two notes on fast weights, as cells: what makes the network of Ba et al. 2016 bind.

Each cell's name begins with its question's number, so that `--only "2 *"` runs one question. `inner` is the network of
the paper, `flat` the one of the first note, whose step has one nonlinearity; both answer a step after the question.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.retrieval.options import RetrievalOptions
from fastweights.experiments.retrieval.question_page import DECAYS, RATES, pictures, tables
from fastweights.experiments.search_space import points
from fastweights.experiments.study import Cell, Study

SEEDS = 5
FORMS = {"inner": "fast-weights", "flat": "fast-weights-flat"}
PAIRS = {2: 4000, 4: 8000, 8: 12_000}
"""Training steps by pairs, the same for both forms and every condition of a question."""
WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Of the contrastive loss; without it the cells of question 2 stand for 0."""
TRIED = (3e-3, 1e-2)
"""Learning rates of the question of inner steps, the same for each."""
LISTENS = (0.0, 0.1, 10.0, 100.0)
"""What the gradient through the read is multiplied by; the flat form of question 2 stands for 1."""
ALPHAS = ((0.0, 0.5), (0.01, 0.5), (0.1, 0.5), (0.1, 0.01), (1.0, 0.01))
"""Where the weight of the fast path starts, and the rate of a write: little is written where h is to stay finite."""
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
        for point in points(inner_steps=(1, 2, 3, 5), learning_rate=TRIED):
            stages = (4, 8, 16) if pairs == 16 else None
            options = _of("inner", pairs, steps=steps, curriculum=stages, **point)
            name = "8 S={inner_steps}, {0} pairs, rate {learning_rate:g}".format(pairs, **point)
            yield _cell(name, options, curve=CURVE)


def _map() -> Iterator[Cell]:
    for point in points(decay=DECAYS, rate=RATES):
        yield _cell("8 λ={decay:g}, η={rate:g}".format(**point), _of("inner", **point))


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
