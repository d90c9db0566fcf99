"""Schlag et al. 2021, appendix F: the grids of settings that each model was searched over, and the best for longer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fastweights.experiments.catbabi.options import CatBAbIOptions
from fastweights.experiments.catbabi.study_pictures import CURVE, curves
from fastweights.experiments.experiment import AnyExperiment, Figure
from fastweights.experiments.search_space import points
from fastweights.experiments.study import Cell, Row, Study

MINUTES = 3.0
"""Training time of every point, on one thread; the paper's first round is 3,000 steps."""
LONGER = 20.0
"""The same of the second round, the paper's is 30,000 or 60,000 steps."""


class Grid(NamedTuple):
    """The points of a model's search.

    Attributes:
        points: options by name, those of a picture together; what has no field is the backbone's.
        best: the point that is trained for longer; None: the paper has no second round.
        seeds: of a point.
    """

    points: Mapping[str, tuple[Mapping[str, Any], ...]]
    best: Mapping[str, Any] | None
    seeds: int = 1


def _attention(
    batch: Sequence[int], rate: Sequence[float], layers: Sequence[int], memory: Sequence[int]
) -> Iterator[dict[str, Any]]:
    return points(batch=batch, learning_rate=rate, layers=layers, memory_length=memory)


def _recent(
    batch: int,
    rate: Sequence[float],
    hidden: int = 256,
    strength: Sequence[float] = (0.5,),
    decay: float = 0.95,
) -> Iterator[dict[str, Any]]:
    own = {"hidden": (hidden,), "rate": strength, "decay": (decay,)}
    return points(batch=(batch,), learning_rate=rate, **own)


BATCHES, RATES = (64, 128), (1e-4, 2.5e-4, 5e-4, 1e-3, 2e-3)
GRIDS = {
    "fwm": Grid(
        {f"batch {b}": (*points(batch=(b,), learning_rate=RATES),) for b in BATCHES},
        {"batch": 64, "learning_rate": 1e-3},
        seeds=2,
    ),
    "mnm": Grid(
        {
            f"batch {b}, reg {r:g}": (
                *points(batch=(b,), learning_rate=RATES[1:], meta_objective=(r,)),
            )
            for b in BATCHES
            for r in (1.0, 2.0)
        },
        {"batch": 64, "learning_rate": 1e-3, "meta_objective": 1.0},
    ),
    # The paper prints no values for the next two but the best; these lie around it.
    "transformer-xl": Grid(
        {
            "sizes": (*_attention((64,), (2.5e-4,), (3, 7), (200, 600, 1200)),),
            "rates": (*_attention(BATCHES, RATES[:3], (7,), (400,)),),
        },
        next(_attention((64,), (2.5e-4,), (3,), (1200,))),
    ),
    "residual-lstm": Grid(
        {f"batch {b}": (*points(batch=(b,), learning_rate=RATES),) for b in BATCHES},
        {"batch": 64, "learning_rate": 1e-3},
    ),
    "fast-weights": Grid(
        {
            "batch 64": (
                *_recent(64, RATES),
                *_recent(64, (2.5e-4,), 512, (0.5, 1.0), 0.99),
            ),
            "batch 128": (*_recent(128, RATES),),
        },
        None,
    ),
}
"""By registered name: F.1 to F.5. Of `fast-weights` the settings are those of figure 16."""

SHORT = {
    "learning_rate": "rate",
    "meta_objective": "reg",
    "memory_length": "memory",
    "rate": "η",
    "decay": "λ",
}
"""Short names of options, in the names of cells."""


def grids(experiment: AnyExperiment) -> Study:
    """Every grid of appendix F at equal time, then the best of each for longer."""
    notes = (
        "Accuracy in percent on the answers of the validation split, QA mode, the paper's data, a constant learning"
        f" rate: the paper's grids of appendix F with {MINUTES:g} minutes of one thread a point instead of its 3,000"
        f" steps, and the best of each with {LONGER:g} minutes and three seeds instead of 30,000 to 60,000 steps;"
        " `--minutes` goes on from there. What `steps` says is how far a point came: the larger the model and the"
        " batch, the fewer.",
        "The pictures are in the manner of the paper's figures 9 to 16.",
    )
    return Study(
        experiment,
        "catbabi-grids",
        "Schlag et al. 2021, appendix F: the searches",
        tuple(_cells()),
        notes,
        pictures=pictures,
    )


def _cells() -> Iterator[Cell]:
    for model, grid in GRIDS.items():
        for picture, tried in grid.points.items():
            for point in tried:
                name = f"{model}, {_label(point)}"
                yield _cell(name, model, point, MINUTES, grid.seeds, f"{model}, {picture}")
        if grid.best is not None:
            yield _cell(f"{model}, longer", model, grid.best, LONGER, 3, "longer")


def _cell(
    name: str, model: str, point: Mapping[str, Any], minutes: float, seeds: int, mode: str
) -> Cell:
    fields = {field.name for field in dataclasses.fields(CatBAbIOptions)}
    own = {option: value for option, value in point.items() if option in fields}
    backbone = tuple(f"{option}={value}" for option, value in point.items() if option not in fields)
    options = CatBAbIOptions(stories="published", model=model, minutes=minutes, set=backbone, **own)
    return Cell(
        name,
        options,
        metric="validation_accuracy_percent",
        also=("parameters",),
        seeds=seeds,
        curve=CURVE,
        mode=mode,
    )


def _label(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{SHORT.get(option, option)} {value:g}" for option, value in point.items())


def pictures(rows: Sequence[Row]) -> Iterator[Figure]:
    """Draw the curves of each part of a grid, and of the best for longer."""
    from fastweights import figures

    for mode in dict.fromkeys(row["mode"] for row in rows):
        found = curves([row for row in rows if row["mode"] == mode], "cell")
        found = {
            name.partition(", ")[2] if mode != "longer" else name: kept
            for name, kept in found.items()
        }
        if found:
            title = f"catbAbI QA, appendix F, {mode}: validation text"
            yield Figure(
                f"curves-{mode.replace(', ', '-').replace(' ', '-')}",
                lambda found=found, title=title: figures.stream_curves(found, title=title),
            )
