"""The studies on the paper's own data: its table 1, the headline runs, and its ablations; and all on catbAbI."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

from fastweights.experiments.catbabi import made_study
from fastweights.experiments.catbabi.grids import grids
from fastweights.experiments.catbabi.made_study import METRIC, MODELS
from fastweights.experiments.catbabi.options import CatBAbIOptions
from fastweights.experiments.catbabi.paper import ACCURACY
from fastweights.experiments.catbabi.study_pictures import CURVE, KEYS, READS, ablation_pictures
from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.study import Cell, Reach, Study

MODES: tuple[Literal["qa", "lm"], ...] = ("qa", "lm")
ALSO = ("test_perplexity", "test_accuracy_without_task_3", "parameters", "state_size")
MINUTES = 4.0
"""Training time of every model of the table, on one thread: what makes the table's rows comparable."""
ABLATION = 20.0
"""The same of every ablation."""


def table1(experiment: AnyExperiment) -> Study:
    """Every model in both modes, for the same time."""
    cells = tuple(
        Cell(
            name=f"{model} {mode}",
            options=CatBAbIOptions(stories="published", model=model, mode=mode, minutes=MINUTES),
            metric=METRIC,
            also=ALSO,
            seeds=1,
            paper=ACCURACY.get((model, mode)),
            mode=mode.upper(),
        )
        for mode in MODES
        for model in MODELS
    )
    notes = (
        "Accuracy in percent on the answers of the test split. Every model is trained for the same time on one thread"
        f" ({MINUTES:g} minutes unless `--minutes` gave more, which goes on from there), with its settings of the"
        " paper where it names them and a constant learning rate; so the table says what a model makes of that time,"
        " not what it can be brought to. fwm, deltanet and gated-deltanet are tested in one row over the whole split,"
        " the others in 32 rows.",
        "Task 3's train stories are there in part; renamed copies of them stand in for the others.",
    )
    title = "Schlag et al. 2021, table 1: catbAbI at equal time"
    return Study(experiment, "catbabi-table1", title, cells, notes, modes=True)


def long(experiment: AnyExperiment) -> Study:
    """The Fast Weight Memory, trained until it is done, against the paper's figures."""
    notes = (
        "Accuracy in percent on the answers of the test split, read in one row as in the paper. The paper's models took"
        " 15 hours on a V100. Under `the paper's data` no story is renamed but the copies that stand in for the missing"
        " train stories of task 3; where stories are renamed, people, animals, places and things of these tasks change"
        " their names from draw to draw, and task 16 comes four times an epoch: another data set, kept apart.",
        "`fwm qa, 7 minutes` is how soon 90 % of the validation split's answers are right; the paper's models took two"
        " hours of a V100 to that.",
    )
    return Study(
        experiment, "catbabi", "catbAbI with the Fast Weight Memory", tuple(_long()), notes
    )


def _long() -> Iterator[Cell]:
    paper = CatBAbIOptions(stories="published")
    renamed = dataclasses.replace(
        paper, steps=16_000, rename_tasks=(3, 16, 19), often=(16,), times=4
    )
    # A step that learns every word takes 1.7 times as long as one that learns the answers.
    words = dataclasses.replace(paper, mode="lm", steps=20_000)
    for name, options, limit, mode, seeds in (
        ("fwm qa", paper, 96.5, "QA, the paper's data", 3),
        ("fwm qa, renamed", renamed, 98.0, "QA, stories of tasks 3, 16 and 19 renamed", 1),
        ("fwm lm", words, 94.0, "LM, the paper's data", 1),
    ):
        reach = Reach(limit, core_seconds=7200, at_least=True)
        yield Cell(
            name,
            options,
            metric=METRIC,
            also=ALSO,
            seeds=seeds,
            paper=ACCURACY["fwm", options.mode],
            reach=reach,
            mode=mode,
        )
    yield Cell(
        "fwm qa, 7 minutes",
        dataclasses.replace(paper, steps=3200, evaluation_interval=400),
        metric="validation_accuracy_percent",
        also=ALSO,
        seeds=1,
        reach=Reach(90.0, core_seconds=840, at_least=True),
        mode="QA, the paper's data",
    )


def ablations(experiment: AnyExperiment) -> Study:
    """Appendix E, and what the released program does otherwise than the paper: each for the same time."""
    return Study(
        experiment,
        "catbabi-ablations",
        "Schlag et al. 2021, appendix E: ablations",
        tuple(_ablations()),
        (
            f"Accuracy in percent on the answers of the test split after {ABLATION:g} minutes of one thread each, QA"
            " mode, the paper's data, a constant learning rate. Appendix E compares three reads, two and one (figure"
            " 7) and concatenated keys (figure 8), with one seed each; the other rows are what the released program"
            " does otherwise than the paper.",
        ),
        pictures=ablation_pictures,
    )


def _ablations() -> Iterator[Cell]:
    base = CatBAbIOptions(stories="published", minutes=ABLATION)
    changed = {
        "three reads": {},
        "two reads": {"reads": 2},
        "one read": {"reads": 1},
        "keys concatenated": {"combine": "concat"},
        "residual": {"residual": True},
        "write scale 1": {"set": ("write_scale=1",)},
        "without the norm clamp": {"set": ("clamp=false",)},
    }
    for name, change in changed.items():
        yield Cell(
            name,
            dataclasses.replace(base, **change),
            metric=METRIC,
            also=ALSO,
            seeds=3 if name in (*READS, *KEYS) else 1,
            curve=CURVE,
            mode=name,
        )


def studies(experiment: AnyExperiment) -> tuple[Study, ...]:
    """Return all studies of the task."""
    return (
        long(experiment),
        table1(experiment),
        ablations(experiment),
        grids(experiment),
        *made_study.studies(experiment),
    )
