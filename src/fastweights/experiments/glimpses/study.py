"""Ba et al. 2016, table 2, in two readings of its glimpses, and the learning rates it was run with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.glimpses.options import GlimpsesOptions
from fastweights.experiments.search_space import points
from fastweights.experiments.study import Cell, Reach, Study

PAPER = {
    "irnn": {50: 12.95, 100: 1.95, 200: 1.42},
    "lstm": {50: 12.0, 100: 1.55, 200: 1.10},
    "convnet": {50: 1.81, 100: 1.00, 200: 0.90},
    "fast-weights": {50: 7.21, 100: 1.30, 200: 0.85},
}
"""Test error in percent by model and features (Ba et al. 2016, table 2; from a secondary source)."""

REACH = {50: 1.8, 100: 1.3, 200: 1.0}
"""Test error in percent that the fast weights are to reach in their better reading, the mean of the seeds."""

CORE_SECONDS = 1200
"""Of training that a run may take to it: ten minutes of two cores."""

READINGS: tuple[Literal["plain", "hierarchical"], ...] = ("plain", "hierarchical")
GRID = (8e-3, 4e-3, 2e-3)
"""Learning rates tried for every model and reading with 50 features (study ba2016-table2-tuning)."""


class Row(NamedTuple):
    """A row of the table: what it is called, the model, and the memory's options."""

    label: str
    model: str
    rate: float | None = None
    inner_steps: int | None = None

    @property
    def tuned(self) -> str:
        """The row whose learning rate it takes: more inner steps are the same network, not tuned anew."""
        return self.label if self.inner_steps is None else self.model


ROWS = (
    Row("fast-weights", "fast-weights"),
    Row("fast-weights, η=0", "fast-weights", rate=0.0),
    Row("irnn", "irnn"),
    Row("lstm", "lstm"),
    Row("convnet", "convnet"),
)
DEEPER = (
    Row("fast-weights, S=2", "fast-weights", inner_steps=2),
    Row("fast-weights, S=3", "fast-weights", inner_steps=3),
)

CHOSEN: dict[tuple[str, str], float] = {
    ("fast-weights", "hierarchical"): 8e-3,
    ("fast-weights, η=0", "plain"): 8e-3,
    ("fast-weights, η=0", "hierarchical"): 8e-3,
    ("irnn", "plain"): 8e-3,
    ("lstm", "plain"): 8e-3,
    ("lstm", "hierarchical"): 8e-3,
    ("convnet", "plain"): 8e-3,
}
"""By row and reading, the learning rate of the grid with the lowest validation error where it is not 4e-3."""


def _options(row: Row, features: int, reading: Literal["plain", "hierarchical"]) -> GlimpsesOptions:
    return GlimpsesOptions(
        model=row.model,
        features=features,
        reading=reading,
        rate=row.rate,
        inner_steps=row.inner_steps,
        learning_rate=CHOSEN.get((row.tuned, reading)),
    )


def _readings(row: Row) -> tuple[Literal["plain", "hierarchical"], ...]:
    """The readings in which a row is run; whole pictures are the same in both."""
    return READINGS[:1] if row.model == "convnet" else READINGS


def _cells(rows: tuple[Row, ...], features: int) -> Iterator[Cell]:
    for row in rows:
        for reading in _readings(row):
            judged = row.label == "fast-weights" and reading == "plain"
            yield Cell(
                name=f"{row.label} F={features} {reading}",
                options=_options(row, features, reading),
                paper=PAPER[row.model][features] if row in ROWS and row.rate is None else None,
                reach=Reach(REACH[features], "mean", core_seconds=CORE_SECONDS) if judged else None,
                mode=f"R={features}, {reading}",
                also=("validation_error_percent", "parameters"),
                label=row.label,
            )


def table2(experiment: AnyExperiment) -> Study:
    """Four models and the control without memory, two readings; the inner steps; then the larger sizes."""
    cells = (
        *_cells(ROWS, 50),
        *_cells(DEEPER, 50),
        *_cells(ROWS, 100),
        *_cells(ROWS, 200),
    )
    notes = (
        "Test error in percent on MNIST's 10,000 test images, seen as 24 glimpses of 7 × 7 pixels at two scales; 55,000"
        " images to learn from, 5,000 to choose settings by, no augmentation. The paper leaves the sequence open; these"
        " are two readings of it. `plain`: four rows of four fine patches and a blank, then the four quadrants at half"
        " the resolution, each step told its position. `hierarchical`: for each quadrant the coarse view, its four fine"
        " patches and a blank, no position told. The convnet sees the same pixels all at once, in either reading the"
        " same.",
        "Every model has the same steps, batch, glimpse layer and dropout, and the best learning rate of the same grid"
        f" ({', '.join(f'{rate:g}' for rate in GRID)}; see ba2016-table2-tuning), for most of them its upper edge, so"
        " that a larger one might do better still. R is the number of features: hidden"
        " units, and of the convnet the units of its last hidden layer. η=0 is the fast weights' network without its"
        " memory; S is the number of inner steps, 1 where it is not named.",
    )
    return Study(
        experiment,
        "ba2016-table2",
        "Ba et al. 2016, table 2: MNIST glimpses",
        cells,
        notes,
        errors=True,
    )


def tuning(experiment: AnyExperiment) -> Study:
    """The same learning rates for every model and reading of table 2, judged by the validation split."""
    cells = tuple(
        Cell(
            name=f"{row.label} {reading} lr={rate:g}",
            options=_tried(row, reading, rate),
            metric="validation_error_percent",
            seeds=1,
            mode=f"R=50, {reading}, learning rate {rate:g}",
            label=row.label,
        )
        for row in ROWS
        for reading, rate in (p.values() for p in points(reading=_readings(row), rate=GRID))
    )
    return Study(
        experiment, "ba2016-table2-tuning", "Learning rates for Ba et al. 2016, table 2", cells
    )


def _tried(row: Row, reading: Literal["plain", "hierarchical"], rate: float) -> GlimpsesOptions:
    return GlimpsesOptions(
        model=row.model, reading=reading, rate=row.rate, learning_rate=rate, steps=4_000
    )


def studies(experiment: AnyExperiment) -> tuple[Study, ...]:
    """Return all studies of the task."""
    return table2(experiment), tuning(experiment)
