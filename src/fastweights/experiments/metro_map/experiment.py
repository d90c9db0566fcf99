"""The metro maps (Schlag et al. 2021, section 4.2 and appendix I), as one value that can be run.

`MetroMap` holds every choice. A choice left at None is made by `resolve`, from `settings.py` beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from fastweights.errors import UserError
from fastweights.experiments.actor_critic import Acting, ReadyToAct
from fastweights.experiments.experiment import filled
from fastweights.experiments.metro_map.defaults import (
    BACKBONES,
    MEMORY_OPTIONS,
    MILESTONES,
    settings,
)

if TYPE_CHECKING:
    from fastweights.models import SequenceModel
    from fastweights.tasks import MetroMap as Task
    from fastweights.training import Outcome


@dataclass(frozen=True)
class MetroMap(Acting):
    """Train agents to find their way on maps that only riding reveals."""

    model: str = "fwm"
    """Backbone; `fastweights list` shows them all."""
    form: Literal["faithful", "fixed"] = "faithful"
    """The task as the authors' program has it, or as the paper says."""
    states: int = 5
    """Stations of a map."""
    moves: int = 3
    """Moves at each station."""
    graphs: int = 600
    """Maps to train on; there are as many others to test on."""
    length: int = 30
    """Steps of an episode."""
    memory_size: int | None = None
    """fwm: features d of the memory's keys and values."""
    reads: int | None = None
    """fwm: chained reads a step."""

    aside: ClassVar[tuple[str, ...]] = (*Acting.aside, "updates")

    def resolve(self) -> Resolved:
        """Return the recipe with every None filled in that the model understands, checked.

        Raises:
            UserError: on a value out of range, an unknown model, or an option that the model does not have.
        """
        from fastweights import models

        model = models.describe(self.model).name
        chosen = settings(self)
        if model != "fwm":
            foreign = [name for name in MEMORY_OPTIONS if getattr(self, name) is not None]
            if foreign:
                raise UserError(f"model {model!r} has no {' and no '.join(foreign)}")
            chosen = {name: chosen[name] for name in chosen if name not in MEMORY_OPTIONS}
        resolved = Resolved(**filled(self, chosen, model=model))
        resolved.check()
        return resolved


@dataclass(frozen=True)
class Resolved(ReadyToAct, MetroMap):
    """A recipe with nothing left to choose; memory_size and reads are None where there is no such memory."""

    def decisive(self) -> dict[str, Any]:
        """The updates too, where a schedule ends with them."""
        return super().decisive() | ({"updates": self.updates} if self.scheduled() else {})

    def task(self) -> Task:
        from fastweights.tasks import MetroMap as Task

        return Task(**self.task_config()["options"])

    def check(self) -> None:
        self.task()  # first: other numbers follow from its own
        super().check()

    def options(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in self.own_options()}
        return {**BACKBONES.get(self.model, {}), **own}

    def own_options(self) -> tuple[str, ...]:
        return MEMORY_OPTIONS if self.model == "fwm" else ()

    def small(self) -> bool:
        return self.hidden < 256

    def folder_name(self) -> str:
        memory = "" if self.memory_size is None else f"-m{self.memory_size}"
        return f"metro-map-{self.form}-{self.model}-h{self.hidden}{memory}-s{self.seed}"

    def describe(self) -> dict[str, Any]:
        return {"task": f"metro maps ({self.form})", "hidden": self.hidden}

    def task_config(self) -> dict[str, Any]:
        names = ("form", "states", "moves", "graphs")
        options = {name: getattr(self, name) for name in names}
        return {"name": "metro-map", "options": {**options, "steps": self.length}}

    def examine(
        self, model: SequenceModel, outcome: Outcome
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        tested, shown = super().examine(model, outcome)
        task = self.task()
        evaluated = {row["step"]: row["reward"] for row in outcome.history}
        reached = [step for step in MILESTONES if step in evaluated]
        about = {
            **{f"test_reward_{step}": evaluated[step] for step in reached},
            "form": self.form,
            "best_possible": task.best_possible("test"),
            "chance": task.chance("test"),
        }
        return {**tested, **about}, shown
