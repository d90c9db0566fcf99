"""An update of agents on the metro maps: ours, which acts first and then learns at once, beside the authors'."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from fastweights import models
from fastweights.bench import official_agents
from fastweights.bench.measure import Case, Note, measure_all
from fastweights.bench.report import recurrence_table
from fastweights.bench.subject import OFFICIAL, Bench, Progress, Row, silent
from fastweights.tasks import MetroMap
from fastweights.training import Rollout

AGENTS, HIDDEN, SIZE = 600, 32, 16
RATE, EPS = 1e-3, 1e-4
GOAL = Note(goals={"authors": 8.0})
"""Of the issue that asked for the maps: as many updates a second as eight of the authors' programs."""


def ours(agents: int = AGENTS) -> Callable[[], tuple[torch.Tensor]]:
    """Build an update of ours: an episode of all agents on the training maps, loss, backward, Adam.

    Args:
        agents: episodes in an update.

    Returns:
        what makes one and returns its loss.
    """
    task = MetroMap()
    config = models.model_config(
        "fwm",
        input=task.features,
        hidden=HIDDEN,
        classes=task.actions + 1,
        inputs="vectors",
        options={"memory_size": SIZE, "reads": 3, "variant": "meta_rl"},
    )
    torch.manual_seed(0)
    model = models.from_config(config)
    source = Rollout(
        task, agents=agents, discount=0.9, value_weight=0.1, entropy_weight=0.03, seed=0
    )
    optimiser = torch.optim.Adam(model.parameters(), RATE, eps=EPS)

    def update() -> tuple[torch.Tensor]:
        optimiser.zero_grad()
        loss, _ = source.next_loss(model)
        loss.backward()
        optimiser.step()
        return (loss.detach(),)

    return update


def run(
    *,
    official: Path | None = None,
    agents: int = AGENTS,
    threads: int = 1,
    repeats: int = 5,
    progress: Progress = silent,
) -> list[Row]:
    """Time an update of the Fast Weight Memory, 32 units and 16³, on 600 maps with 30 steps an episode.

    Args:
        official: a checkout of `ischlag/Fast-Weight-Memory-public`, whose program is then timed beside ours.
        agents: episodes in an update.
        threads, repeats, progress: as of every `Bench.run`.

    Returns:
        A row: `agents`, `steps`, `updates_per_second` (by variant), and what `measure` says of it. The two draw their
        episodes each by itself, so there are no results to hold against each other.

    Raises:
        UserError: if the folder is no such checkout, or for agents, threads or repeats below 1.
    """
    steps = MetroMap().horizon
    with contextlib.ExitStack() as held:
        others: Mapping[str, Callable[[], object]] = {}
        if official is not None:
            program = held.enter_context(official_agents.program(official))
            others = {"authors": official_agents.update(program, agents, HIDDEN, SIZE, RATE, EPS)}
        case = Case(
            f"metro maps, {agents} agents × {steps} steps",
            lambda: {"fused": ours(agents)},
            "fused",
            note=GOAL if official else Note(),
            about={"agents": agents, "steps": steps},
            progress=f"an update of {agents} agents: acting, forward, backward, Adam",
            others=lambda: others,
        )
        (row,) = measure_all(
            "metro-map", [case], threads=threads, repeats=repeats, progress=progress
        )
    row["updates_per_second"] = {n: 1e3 / taken for n, taken in row["milliseconds"].items()}
    return [row]


BENCH = Bench(
    "metro-map",
    "an update of agents on the metro maps, acting and learning.",
    run,
    recurrence_table,
    repeats=5,
    options=(OFFICIAL,),
)
