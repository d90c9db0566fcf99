"""An update of agents on the metro maps: ours, which acts first and then learns at once, beside the authors'."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from fastweights import models
from fastweights.bench import official_agents
from fastweights.bench.measure import Case, Note, measure_all
from fastweights.bench.report import recurrence_table
from fastweights.bench.subject import (
    DEVICE,
    OFFICIAL,
    Bench,
    Progress,
    Row,
    check_official,
    device_of,
    silent,
)
from fastweights.tasks import MetroMap
from fastweights.training import Rollout
from fastweights.training.engine.graphs import CudaRecorder, GraphedSteps

AGENTS, HIDDEN, SIZE = 600, 32, 16
RATE, EPS = 1e-3, 1e-4
BACKENDS = {"cpu": "auto", "cuda": "cuda"}
GOAL = Note(goals={"authors": 8.0})
"""Of the issue that asked for the maps: as many updates a second as eight of the authors' programs."""


def ours(
    agents: int = AGENTS, *, backend: str = "auto", device: str = "cpu", graph: bool = False
) -> Callable[[], tuple[torch.Tensor]]:
    """Build an update of ours: an episode of all agents on the training maps, loss, backward, Adam.

    Args:
        agents: episodes in an update.
        backend: of the memory.
        device: "cpu" or "cuda".
        graph: learn as a CUDA graph.

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
        options={"memory_size": SIZE, "reads": 3, "variant": "meta_rl", "backend": backend},
    )
    torch.manual_seed(0)
    model = models.from_config(config).to(device)
    source = Rollout(
        task, agents=agents, discount=0.9, value_weight=0.1, entropy_weight=0.03, device=device
    )
    optimiser = torch.optim.Adam(model.parameters(), RATE, eps=EPS, capturable=graph)

    def learn(batch: Any) -> tuple[dict[str, torch.Tensor], None]:
        optimiser.zero_grad()
        loss, _, _ = source.loss(model, batch)
        loss.backward()
        optimiser.step()
        return {"loss": loss.detach()}, None

    step = GraphedSteps(learn, CudaRecorder(torch.device(device))) if graph else learn
    return lambda: (step(source.next_batch(model))[0]["loss"],)


def run(
    *,
    official: Path | None = None,
    agents: int = AGENTS,
    threads: int = 1,
    repeats: int = 5,
    device: str | None = None,
    progress: Progress = silent,
) -> list[Row]:
    """Time an update of the Fast Weight Memory, 32 units and 16³, on 600 maps with 30 steps an episode.

    Args:
        official: a checkout of `ischlag/Fast-Weight-Memory-public`, whose program is then timed beside ours.
        agents: episodes in an update.
        device: "cpu" (None), or "cuda": the kernels beside eager PyTorch, and learning as a CUDA graph.
        threads, repeats, progress: as of every `Bench.run`.

    Returns:
        A row: `agents`, `steps`, `updates_per_second` (by variant), and what `measure` says of it. The two draw their
        episodes each by itself, so there are no results to hold against each other.

    Raises:
        UserError: if the folder is no such checkout, or for agents, threads or repeats below 1.
    """
    steps, where = MetroMap().horizon, device_of(device)
    check_official(official, where)
    with contextlib.ExitStack() as held:
        others: dict[str, Callable[[], object]] = {}
        if where == "cuda":
            others["chunked"] = ours(agents, backend="chunked", device=where)
            others["graph"] = ours(agents, backend=BACKENDS[where], device=where, graph=True)
        if official is not None:
            program = held.enter_context(official_agents.program(official))
            theirs = official_agents.update(program, agents, HIDDEN, SIZE, RATE, EPS)
            others["authors"] = theirs
        case = Case(
            f"metro maps, {agents} agents × {steps} steps",
            lambda: {"fused": ours(agents, backend=BACKENDS[where], device=where)},
            "fused",
            note=GOAL if official else Note(),
            about={"agents": agents, "steps": steps},
            progress=f"an update of {agents} agents: acting, forward, backward, Adam",
            others=lambda: others,
        )
        (row,) = measure_all(
            "metro-map", [case], threads=threads, repeats=repeats, progress=progress, device=where
        )
    row["updates_per_second"] = {n: 1e3 / taken for n, taken in row["milliseconds"].items()}
    return [row]


BENCH = Bench(
    "metro-map",
    "an update of agents on the metro maps, acting and learning.",
    run,
    recurrence_table,
    repeats=5,
    options=(OFFICIAL, DEVICE),
)
