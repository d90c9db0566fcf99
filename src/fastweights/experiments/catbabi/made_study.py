"""The studies of models that learn from generated stories: the Fast Weight Memory, table 1, and longer looks back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from fastweights.experiments.catbabi.options import CatBAbIOptions
from fastweights.experiments.catbabi.paper import ACCURACY
from fastweights.experiments.catbabi.study_pictures import BY_TASK, CURVE, by_task, table_pictures
from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.study import Cell, Reach, Study

MODELS = (
    "fwm",
    "residual-lstm",
    "transformer-xl",
    "mnm",
    "fast-weights",
    "deltanet",
    "gated-deltanet",
)
"""Of table 1, the paper's and two that are younger."""

METRIC = "test_accuracy_percent"
ON_RELEASE = "release_test_accuracy_percent"
"""The metric of what was learnt from generated stories: the answers of the release's test split."""

MINUTES = 45.0
"""Training time of every model of a table, on one thread: what makes its rows comparable."""

FEW = 1125
"""Stories of task 17 that are learnt from: as many as the release's train file has."""

OTHER_PROTOCOL = (
    "All training stories are generated, no two alike, by rules that were read off the release, its test file included."
    " This is another protocol than the paper's, and its figures are not to be measured against the paper's"
)


def generated(experiment: AnyExperiment) -> Study:
    """The Fast Weight Memory on generated stories, tested on the release's test split."""
    notes = (
        "Accuracy in percent on the answers of the release's test split, read in one row. Tasks 16, 17 and 19 come"
        f" four times an epoch, task 17 from a pool of {FEW:,} stories, as many as the release has, since stories that"
        f" never come again do not begin to teach it (`reproduce catbabi-pools`). {OTHER_PROTOCOL}.",
        "Under `subquestions` two of three train stories of task 16 ask a part of its question, which takes three"
        " reads: `what color is lily ?` of one whose color was stated (one read), `what color is swan ?` (two). Without"
        " them the network does not begin to chain the three. LM counts an answer as ten other words.",
    )
    return Study(
        experiment,
        "catbabi-generated",
        "catbAbI from generated stories, tested on the release",
        tuple(_generated()),
        notes,
    )


def _generated() -> Iterator[Cell]:
    qa = CatBAbIOptions(
        stories="generated",
        often=(16, 17, 19),
        times=4,
        pool=FEW,
        pool_tasks=(17,),
        steps=32_000,
    )
    parts = dataclasses.replace(qa, subquestions=True)
    words = dataclasses.replace(parts, mode="lm", answer_weight=10.0, steps=24_000)
    reach = Reach(99.3, of="mean", core_seconds=10_800, at_least=True)
    for name, options, limit, mode, seeds in (
        ("fwm qa, subquestions", parts, 99.3, "QA, subquestions", 3),
        ("fwm lm, subquestions", words, 97.0, "LM, subquestions", 3),
        ("fwm qa", qa, None, "QA", 2),
    ):
        yield Cell(
            name,
            options,
            metric=ON_RELEASE,
            seeds=seeds,
            also=("release_test_perplexity", METRIC, "parameters", "state_size"),
            keeps=("release_test_per_task_accuracy",),
            reach=None if limit is None else dataclasses.replace(reach, limit=limit),
            mode=mode,
        )


def table1(experiment: AnyExperiment) -> Study:
    """Every model of table 1 in both modes on generated stories, for the same time."""
    notes = (
        "Accuracy in percent on the answers of the release's test split. Every model is trained for the same time on"
        f" one thread ({MINUTES:g} minutes unless `--minutes` gave more, which goes on from there), with its settings"
        " of the paper where it names them and a constant learning rate. fwm, deltanet and gated-deltanet are tested in"
        f" one row over the whole split, the others in 32 rows. {OTHER_PROTOCOL}: what it reports of its own data"
        " stands in a column of its own.",
        "The pictures are in the manner of the paper's figures 17 and 18: each task while the models learn, here on"
        " generated validation stories.",
    )
    return Study(
        experiment,
        "catbabi-generated-table1",
        "Table 1's models from generated stories, tested on the release, at equal time",
        tuple(_table1()),
        notes,
        modes=True,
        pictures=table_pictures,
        tables=by_task,
    )


def _table1() -> Iterator[Cell]:
    for mode in ("qa", "lm"):
        for model in MODELS:
            paper = ACCURACY.get((model, mode))
            yield Cell(
                f"{model} {mode}",
                CatBAbIOptions(stories="generated", model=model, mode=mode, minutes=MINUTES),
                metric=ON_RELEASE,
                also=("release_test_perplexity", METRIC, "parameters", "state_size"),
                seeds=1,
                besides={} if paper is None else {"paper, its data and protocol": paper},
                keeps=(BY_TASK,),
                curve=CURVE,
                mode=mode.upper(),
            )


def lookback(experiment: AnyExperiment) -> Study:
    """Whether models look further back than in training, and know names that a task never had."""
    notes = (
        "Accuracy in percent on the answers of generated test stories. One run of each model, trained for"
        f" {MINUTES:g} minutes of one thread on generated stories whose questions are about one of the last 5 clauses,"
        " as all of the release's are, and whose people, places and things are drawn from all but those held out. It is"
        " tested on stories with the release's names that ask about one of the last 5, 10 or 20 clauses, and on stories"
        " with names that tasks 1-3 and 5-14 had in no train story.",
    )
    return Study(
        experiment,
        "catbabi-lookback",
        "catbAbI: longer looks back and held-out names",
        tuple(_lookback()),
        notes,
    )


def _lookback() -> Iterator[Cell]:
    for model in ("fwm", "residual-lstm", "deltanet"):
        options = CatBAbIOptions(
            stories="generated", names="held-out", window=5, model=model, minutes=MINUTES
        )
        for name, tested in (
            *((f"window {n}", {"names": "release", "window": n}) for n in (5, 10, 20)),
            ("held-out names", {"names": "held-out", "window": 5}),
        ):
            yield Cell(
                f"{model}, {name}",
                options,
                metric="accuracy_percent",
                also=("perplexity", "parameters", "state_size"),
                seeds=1,
                tested_on={"stories": "generated", **tested},
                mode=name,
                stage_of=model,
            )


def pools(experiment: AnyExperiment) -> Study:
    """What repetition is for: tasks alone, whose train stories come again or never do."""
    notes = (
        "Accuracy in percent on the answers of generated test stories of one task, the only one that was learnt: 1,500"
        " steps on train stories that never come again (`new`), or on a pool of so many that come again and again.",
    )
    return Study(
        experiment,
        "catbabi-pools",
        "catbAbI: new stories against the same ones again",
        tuple(_pools()),
        notes,
    )


def _pools() -> Iterator[Cell]:
    for task, sizes in ((17, (FEW, 4000)), (19, (10_000,)), (16, (10_000,))):
        for pool in (None, *sizes):
            stories = "new" if pool is None else f"pool of {pool:,}"
            yield Cell(
                f"task {task}, {stories}",
                CatBAbIOptions(
                    stories="generated",
                    tasks=(task,),
                    pool=pool,
                    steps=1500,
                    evaluation_interval=100,
                ),
                metric=METRIC,
                curve=CURVE,
                mode=f"task {task}, {stories}",
            )


def studies(experiment: AnyExperiment) -> tuple[Study, ...]:
    """Return all of them."""
    return generated(experiment), table1(experiment), lookback(experiment), pools(experiment)
