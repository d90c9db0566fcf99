"""Ba et al. 2016, section 4.4: which memory learns to catch soonest, at equal tuning and equal horizons."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from fastweights.experiments.catch.options import CatchOptions
from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.search_space import points
from fastweights.experiments.study import Cell, Reach, Study

MODELS = {
    "fast-weights": CatchOptions(),
    "lstm": CatchOptions(model="lstm"),
    "irnn": CatchOptions(model="irnn"),
    "control": CatchOptions(rate=0.0),
}
"""The models of the paper, and the fast-weights RNN with η = 0: the same network without its memory."""

SCREENS = ((16, 3), (24, 5))

GRID = {(16, 3): (2e-3, 4e-3, 8e-3), (24, 5): (1.5e-3, 3e-3, 6e-3)}
"""Learning rates tried for every model, by screen (study ba2016-catch-tuning)."""

CHOSEN = {
    (16, 3): {"fast-weights": 4e-3, "lstm": 4e-3, "irnn": 4e-3, "control": 4e-3},
    (24, 5): {"fast-weights": 3e-3, "lstm": 3e-3, "irnn": 3e-3, "control": 3e-3},
}
"""The learning rate of that grid that each model is given; the study of them may tell of better ones."""

ALSO = ("frames_to_reach", "caught", "frames", "parameters")


def _options(model: str, screen: tuple[int, int], rate: float) -> CatchOptions:
    size, visible = screen
    return dataclasses.replace(MODELS[model], size=size, visible=visible, learning_rate=rate)


def _cells() -> Iterator[Cell]:
    for screen in SCREENS:
        for model in MODELS:
            reach = None
            if screen == (24, 5) and model == "fast-weights":
                reach = Reach(0.95, core_seconds=1800, at_least=True)
            elif screen == (16, 3) and model != "control":
                reach = Reach(0.95, at_least=True)
            yield Cell(
                name=f"{model} {screen[0]}-{screen[1]}",
                options=_options(model, screen, CHOSEN[screen][model]),
                metric="test_reward",
                also=ALSO,
                reach=reach,
                mode=f"({screen[0]}, {screen[1]})" + (", η = 0" if model == "control" else ""),
            )


def comparison(experiment: AnyExperiment) -> Study:
    """Four models on both screens of the paper."""
    notes = (
        "Mean reward of the sampled policy on fresh episodes (1: always caught, -1: never). All have the same"
        " advantage actor-critic, agents, updates, schedules and learning rate, the middle one of those that"
        " ba2016-catch-tuning tries for every model"
        f" ({'; '.join(', '.join(f'{rate:g}' for rate in rates) for rates in GRID.values())} on the two screens)."
        " `frames to reach` are those before"
        " the first evaluation with a mean reward of .95, a mean over the seeds that got there; the horizon of the"
        " schedules is the same for all, and sets part of that time. The rows with η = 0 are the fast-weights RNN"
        " without its fast weights.",
    )
    return Study(
        experiment, "ba2016-catch", "Ba et al. 2016, section 4.4: Catch", tuple(_cells()), notes
    )


def tuning(experiment: AnyExperiment) -> Study:
    """The same learning rates for every model on both screens, judged by other episodes than the test's."""
    cells = tuple(
        Cell(
            name=f"{model} {screen[0]}-{screen[1]} lr={rate:g}",
            options=_options(model, screen, rate),
            metric="evaluation_reward",
            also=ALSO,
            seeds=1,
            mode=f"({screen[0]}, {screen[1]}), learning rate {rate:g}"
            + (", η = 0" if model == "control" else ""),
        )
        for screen, rates in GRID.items()
        for model, rate in (point.values() for point in points(model=tuple(MODELS), rate=rates))
    )
    return Study(
        experiment, "ba2016-catch-tuning", "Learning rates for Ba et al. 2016, Catch", cells
    )


def studies(experiment: AnyExperiment) -> tuple[Study, ...]:
    """Return all studies of the task."""
    return comparison(experiment), tuning(experiment)
