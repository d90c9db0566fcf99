"""Schlag et al. 2021, section 4.2: the Fast Weight Memory against LSTMs on the metro maps, at equal updates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.metro_map.options import MILESTONES, MetroMapOptions
from fastweights.experiments.study import Cell, Reach, Study

UPDATES, LONG = MILESTONES
"""Updates of the shorter comparison and of the longer one, which goes on with the runs of the shorter."""

ALSO = ("train_reward", "updates_per_second", "parameters")

LOGGED = {
    ("fwm", 32, UPDATES): 85.2,
    ("lstm", 512, UPDATES): 52.7,
    ("lstm", 1024, UPDATES): 53.2,
    ("fwm", 32, LONG): 107.0,
    ("lstm", 512, LONG): 54.5,
    ("lstm", 1024, LONG): 82.0,
}
"""Mean reward on the test maps in the authors' logs, at the update of the row."""


def _cell(
    model: str,
    hidden: int,
    updates: int,
    form: Literal["faithful", "fixed"] = "faithful",
    reach: float | None = None,
    seeds: int = 1,
) -> Cell:
    return Cell(
        name=f"{model}-{hidden} {form} {updates}",
        options=MetroMapOptions(model=model, hidden=hidden, updates=updates, rules=form),
        metric=f"test_reward_{updates}",
        also=ALSO,
        seeds=seeds,
        paper=LOGGED.get((model, hidden, updates)) if form == "faithful" else None,
        reach=None if reach is None else Reach(reach, at_least=True),
        mode=f"{form}, {hidden} units, {updates:,} updates",
        stage_of=f"{model}-{hidden} {form}",
    )


def _cells() -> Iterator[Cell]:
    yield _cell("fwm", 32, UPDATES, reach=86, seeds=3)
    yield _cell("lstm", 32, UPDATES, seeds=3)
    yield _cell("lstm", 128, UPDATES, seeds=3)
    yield _cell("fwm", 32, UPDATES, "fixed", seeds=3)
    yield _cell("lstm", 128, UPDATES, "fixed", seeds=3)
    yield _cell("fwm", 32, LONG, reach=105)
    yield _cell("lstm", 128, LONG)
    yield _cell("fwm", 32, LONG, "fixed")
    for hidden in (512, 1024):
        yield _cell("lstm", hidden, UPDATES)
    for hidden in (512, 1024):
        yield _cell("lstm", hidden, LONG)


def comparison(experiment: AnyExperiment) -> Study:
    """The Fast Weight Memory and LSTMs in both forms of the task."""
    notes = (
        "Mean total reward of an episode on 600 maps that were not trained on, one episode a map, actions sampled, in"
        " the evaluation at the update of the row. Rows of more updates go on with the runs of fewer, whose other"
        " figures and time are those of the run as it stood; `train reward` is the mean over the last updates before"
        " its end. All models have the same advantage actor-critic with the paper's constants and equal updates of 600"
        " episodes. On the test maps whoever knows"
        " them can expect 166.20 in the form `faithful` and 171.02 in `fixed`, random moves bring 45.35 and 44.55.",
        "`paper` is the authors' log at that update, single evaluations of one seed. At its end their FWM has 107.0 on"
        " the test maps and 109.8 on the train maps (51,000 updates); their LSTMs go on for longer, to 83.5 and 126.0"
        " with 512 units (278,000 updates), 79.9 and 143.2 with 1,024 (232,000).",
    )
    return Study(
        experiment,
        "fwm-meta-rl",
        "Schlag et al. 2021, section 4.2: metro maps",
        tuple(_cells()),
        notes,
    )


def studies(experiment: AnyExperiment) -> tuple[Study, ...]:
    """Return all studies of the task."""
    return (comparison(experiment),)
