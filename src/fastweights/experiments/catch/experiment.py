"""Catch with memory (Ba et al. 2016, section 4.4), as one value that can be run.

`Catch` holds every choice. A choice left at None is made by `resolve`, from `settings.py` beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fastweights.errors import UserError
from fastweights.experiments.actor_critic import Acting, ReadyToAct
from fastweights.experiments.catch.defaults import (
    FAST_WEIGHT_OPTIONS,
    GOAL,
    backbone_options,
    settings,
)
from fastweights.experiments.experiment import filled
from fastweights.experiments.options import has_fast_weights

if TYPE_CHECKING:
    from fastweights.models import SequenceModel
    from fastweights.tasks import Catch as Task
    from fastweights.training import Outcome


@dataclass(frozen=True)
class Catch(Acting):
    """Train agents to catch a ball that is seen for a few frames only."""

    size: int = 16
    """Rows and columns of the screen, N."""
    visible: int = 3
    """Frames before the screen goes blank, M."""
    start: Literal["random", "middle"] = "random"
    """Where the paddle begins."""
    last_action: bool = True
    """Let the agents see their last action."""
    decay: float | None = None
    """fast-weights: decay λ of the fast weights, 0 to 1."""
    rate: float | None = None
    """fast-weights: learning rate η of the fast weights; 0: none (the control)."""

    def resolve(self) -> Resolved:
        """Return the recipe with every None filled in that the model understands, checked.

        Raises:
            UserError: on a value out of range, an unknown model, or an option that the model does not have.
        """
        from fastweights import models

        model = models.describe(self.model).name
        chosen = settings(model, self)
        if model != "fast-weights":
            foreign = [name for name in FAST_WEIGHT_OPTIONS if getattr(self, name) is not None]
            if foreign and not has_fast_weights(model):
                raise UserError(f"model {model!r} has no {' and no '.join(foreign)}")
            # The settings were found for the inner loop; the flat form has the backbone's own.
            chosen = {name: chosen[name] for name in chosen if name not in FAST_WEIGHT_OPTIONS}
        resolved = Resolved(**filled(self, chosen, model=model))
        resolved.check()
        return resolved


@dataclass(frozen=True)
class Resolved(ReadyToAct, Catch):
    """A recipe with nothing left to choose; decay and rate may be None: none, or the backbone's own."""

    def task(self) -> Task:
        from fastweights.tasks import Catch as Task

        return Task(self.size, self.visible, start=self.start, last_action=self.last_action)

    def options(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in self.own_options()}
        return {**backbone_options(self.model), **own}

    def own_options(self) -> tuple[str, ...]:
        return tuple(name for name in FAST_WEIGHT_OPTIONS if getattr(self, name) is not None)

    def folder_name(self) -> str:
        control = "-control" if self.rate == 0 else ""
        size = f"{self.size}-{self.visible}"
        return f"catch-{size}-{self.model}{control}-h{self.hidden}-s{self.seed}"

    def describe(self) -> dict[str, Any]:
        return {"task": f"Catch ({self.size}, {self.visible})", "hidden": self.hidden}

    def task_config(self) -> dict[str, Any]:
        names = ("size", "visible", "start", "last_action")
        return {"name": "catch", "options": {name: getattr(self, name) for name in names}}

    def examine(
        self, model: SequenceModel, outcome: Outcome
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        tested, shown = super().examine(model, outcome)
        reached = (row["step"] for row in outcome.history if row["reward"] >= GOAL)
        first, task = next(reached, None), self.task()
        about = {
            "size": self.size,
            "visible": self.visible,
            "caught": (1 + tested["test_reward"]) / 2,
            "frames_to_reach": None if first is None else first * self.frames,
            "best_possible": task.best_possible,
            "chance": task.chance,
        }
        return {**tested, **about}, shown
