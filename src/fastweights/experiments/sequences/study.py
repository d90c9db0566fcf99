"""The studies of sequence models: every backbone on state tracking, MQAR and MAD, at equal tuning and budgets."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fastweights.experiments.experiment import AnyExperiment, Figure
from fastweights.experiments.sequences.options import (
    MADOptions,
    MQAROptions,
    SequenceOptions,
    StateTrackingOptions,
)
from fastweights.experiments.sequences.rows import (
    BACKBONES,
    PUBLISHED_MAD,
    PUBLISHED_TRACKING,
    Backbone,
)
from fastweights.experiments.study import Cell, Reach, Row, Study

GRID = (1e-3, 3e-3, 1e-2)
"""Learning rates that the studies of tuning try for every model."""

CHOSEN = 3e-3
"""The one that every model is given, the middle one; the studies of tuning may tell of better ones."""

TRACKED = ("parity", "modular-arithmetic", "s3", "a5", "s5")
MQAR_SIZES = ((4, 32), (8, 48))
"""Pairs and length."""
MAD_KINDS = (
    *("in-context-recall", "fuzzy-recall", "noisy-recall"),
    *("selective-copying", "compression", "memorisation"),
)

EQUAL = (
    "Every model has the same number of layers and hidden units a layer, the same embedding, optimiser, learning rate"
    f" ({CHOSEN:g}, the middle one of those that the study of tuning tries for every model:"
    f" {', '.join(f'{rate:g}' for rate in GRID)}), steps and sequences; all other options of a backbone are its own"
    " defaults. Of `fwm` the output is what the memory retrieves, as in the authors' program for catbAbI; with the"
    " paper's residual connection the LSTM's is added. `[-1, 1]` are the eigenvalues where negative ones are allowed."
)
"""What is the same for all rows."""

Build = Callable[[Backbone, str, float], SequenceOptions]


def _tracking(backbone: Backbone, mode: str, rate: float) -> StateTrackingOptions:
    return StateTrackingOptions(
        model=backbone.model,
        set=backbone.set,
        problem=mode,  # pyright: ignore[reportArgumentType]  (one of TRACKED)
        learning_rate=rate,
    )


def _mqar(backbone: Backbone, mode: str, rate: float) -> MQAROptions:
    pairs, length = next(size for size in MQAR_SIZES if mode == _mqar_mode(size))
    return MQAROptions(
        model=backbone.model, set=backbone.set, pairs=pairs, length=length, learning_rate=rate
    )


def _mqar_mode(size: tuple[int, int]) -> str:
    return f"{size[0]} pairs, {size[1]} symbols"


def _mad(backbone: Backbone, mode: str, rate: float) -> MADOptions:
    return MADOptions(
        model=backbone.model,
        set=backbone.set,
        kind=mode,  # pyright: ignore[reportArgumentType]  (one of MAD_KINDS)
        learning_rate=rate,
    )


class Table(NamedTuple):
    """What sets a study apart from the others.

    Attributes:
        name, title, notes: of the study.
        modes: the tests that every backbone is given.
        build: returns the options of a cell.
        slow: backbones without rows: on one thread a cell would take them longer than three minutes.
        also: further keys of a result that the table shows.
        published: means that stand beside ours, in percent, by backbone or by what has no row here.
        reach: numbers to meet, by label and mode.
    """

    name: str
    title: str
    modes: tuple[str, ...]
    build: Build
    notes: tuple[str, ...]
    slow: tuple[str, ...] = ("mnm",)
    also: tuple[str, ...] = ()
    published: Mapping[str, float] = {}
    reach: Mapping[tuple[str, str], Reach] = {}

    def backbones(self) -> dict[str, Backbone]:
        """Return the rows, by what the table calls them."""
        return {label: each for label, each in BACKBONES.items() if label not in self.slow}


SOLVED = Reach(99.0, "median", at_least=True)

TABLES = {
    "state-tracking": Table(
        "state-tracking",
        "State tracking: parity, modular arithmetic, S3, A5, S5",
        TRACKED,
        _tracking,
        (
            "Test accuracy in percent at steps 41 to 256 of new sequences, of models that were trained on 40 steps and"
            " answer after every symbol (in modular arithmetic after every digit); `trained accuracy percent` is that"
            f" of the first 40 steps. {EQUAL}",
            "A model that knows the present symbol alone has 50 % of parity, 20 % of modular arithmetic, 16.7 % of S3,"
            " 1.67 % of A5 and 0.83 % of S5 (computed). The published means are of another protocol: four tasks, of"
            " which parity and modular arithmetic are two, and settings chosen for each model.",
        ),
        also=("trained_accuracy_percent",),
        published=PUBLISHED_TRACKING,
        reach={("lstm", "parity"): SOLVED, ("fwm", "parity"): SOLVED},
    ),
    "mqar": Table(
        "mqar",
        "MQAR: multi-query associative recall",
        tuple(map(_mqar_mode, MQAR_SIZES)),
        _mqar,
        (
            "Test accuracy in percent on new sequences with a vocabulary of 64 symbols, 32 of them values; the paper's"
            f" (Arora et al. 2024) is 8,192 and takes more steps than these budgets. {EQUAL}",
            "A model that knows which values occurred but not under which keys has 25 % of 4 pairs and 12.5 % of 8; one"
            " without memory has 3.12 %. The paper shows curves and no table, so that there are no published rows.",
        ),
    ),
    "mad": Table(
        "mad",
        "MAD: six tests of what a layer can do",
        MAD_KINDS,
        _mad,
        (
            "Test accuracy in percent on new sequences, at the published baseline of each test (vocabulary, length,"
            f" number of training sequences). {EQUAL} The published budget is 200 epochs over those sequences, here"
            " 2.5 (of memorisation 125), and the best of six settings; it averages over variations of each test in"
            " size, and over classes.",
            "Of compression the published decoder is a network with an encoding of each place; here a linear layer"
            " answers for each. A model without memory has 12.5 % of in-context and noisy recall, 13.4 % of fuzzy"
            " recall, 7.14 % of copying, 6.67 % of compression and 0.79 % of memorisation (computed).",
        ),
        slow=("mnm", "srwm", "m2rnn"),
        published=PUBLISHED_MAD,
    ),
}


def studies(experiment: AnyExperiment) -> tuple[Study, ...]:
    """Return the studies of a task: its table, and that of the learning rates; none of a task without one."""
    table = TABLES.get(experiment.name)
    return () if table is None else (comparison(experiment, table), tuning(experiment, table))


def comparison(experiment: AnyExperiment, table: Table) -> Study:
    """Every backbone on every test of a table."""
    cells = tuple(
        Cell(
            name=f"{label}, {mode}",
            options=table.build(backbone, mode, CHOSEN),
            metric="test_accuracy_percent",
            also=table.also,
            reach=table.reach.get((label, mode)),
            mode=mode,
            label=label,
            keeps=("chance",),
        )
        for mode in table.modes
        for label, backbone in table.backbones().items()
    )
    return Study(
        experiment,
        table.name,
        table.title,
        cells,
        (*table.notes, _left_out(table)),
        pictures=functools.partial(pictures, table),
        tables=functools.partial(means, table),
    )


def _left_out(table: Table) -> str:
    return (
        f"Left out, for a cell would take longer than three minutes of one thread: {', '.join(table.slow)}."
        f" `fastweights train {table.name} --model NAME` trains them."
    )


def tuning(experiment: AnyExperiment, table: Table) -> Study:
    """The same learning rates for every backbone, judged by sequences other than the test's."""
    cells = tuple(
        Cell(
            name=f"{label}, {mode}, lr={rate:g}",
            options=table.build(backbone, mode, rate),
            metric="validation_error_percent",
            seeds=1,
            mode=f"{mode}, learning rate {rate:g}",
            label=label,
        )
        for mode in table.modes
        for label, backbone in table.backbones().items()
        for rate in GRID
    )
    name, title = f"{table.name}-tuning", f"Learning rates, {table.title}"
    return Study(experiment, name, title, cells)


def means(table: Table, rows: Sequence[Row]) -> Iterator[str]:
    """Write a line for each model: every test, their mean, and the published mean, the best first."""
    published = dict(table.published)
    head = ["model", *table.modes, "mean", *(["published mean"] if published else [])]
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    found = _by_label(rows)
    mean = {label: _mean(table, values) for label, values in found.items()}
    order = sorted(found, key=lambda label: mean[label] or 0.0, reverse=True)
    for label in [*order, *(name for name in published if name not in found)]:
        values: list[float | None] = [found.get(label, {}).get(mode) for mode in table.modes]
        cells = [*values, mean.get(label), *([published.get(label)] if published else [])]
        yield f"| {label} | " + " | ".join(map(_text, cells)) + " |"
    yield ""


def _by_label(rows: Sequence[Row]) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for row in rows:
        found.setdefault(row["label"], {})[row["mode"]] = row["value"]
    return found


def _mean(table: Table, values: Mapping[str, float | None]) -> float | None:
    """Return the mean over all tests of a table; None while one of them has no value."""
    known = [values.get(mode) for mode in table.modes]
    numbers = [value for value in known if value is not None]
    return statistics.fmean(numbers) if len(numbers) == len(known) else None


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def pictures(table: Table, rows: Sequence[Row]) -> Iterator[Figure]:
    """Draw the table in colours, below it what a model without memory has."""
    from fastweights import figures

    yield Figure(
        "accuracies",
        lambda: figures.score_table(rows, chance=_chance(rows), title=table.title),
    )


def _chance(rows: Sequence[Row]) -> dict[str, float]:
    """Return the accuracy without memory in percent, by test, as the runs recorded it."""
    kept: dict[str, Any] = {}
    for row in rows:
        for seed in row["by_seed"].values():
            kept[row["mode"]] = seed.get("kept", {}).get("chance")
    return {mode: 100 * chance for mode, chance in kept.items() if chance is not None}
