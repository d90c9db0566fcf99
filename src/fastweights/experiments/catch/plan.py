"""The plan of Catch: what is trained, once every choice is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastweights.experiments.actor_critic import AGENT_FIELDS, AgentPlan
from fastweights.experiments.catch.options import BACKBONES, FAST_WEIGHT_OPTIONS, CatchOptions
from fastweights.experiments.plan import Record

if TYPE_CHECKING:
    from fastweights.tasks import Catch

TASK_OPTIONS = ("size", "visible", "start", "last_action")


@dataclass(frozen=True, kw_only=True)
class CatchPlan(AgentPlan, CatchOptions):
    """The options filled in; decay and rate may be None: none, or the backbone's own."""

    fingerprint_fields = ("model", *TASK_OPTIONS, *FAST_WEIGHT_OPTIONS, "updates", *AGENT_FIELDS)

    def task(self) -> Catch:
        from fastweights.tasks import Catch

        return Catch(self.size, self.visible, start=self.start, last_action=self.last_action)

    def backbone_defaults(self) -> Record:
        return dict(BACKBONES.get(self.model, {}))

    def own_fields(self) -> tuple[str, ...]:
        return FAST_WEIGHT_OPTIONS

    def folder_name(self) -> str:
        control = "-control" if self.rate == 0 else ""
        size = f"{self.size}-{self.visible}"
        return f"catch-{size}-{self.model}{control}-h{self.hidden}-s{self.seed}"

    @property
    def title(self) -> str:
        return f"Catch ({self.size}, {self.visible})"

    def task_config(self) -> Record:
        return {"name": "catch", "options": {name: getattr(self, name) for name in TASK_OPTIONS}}
