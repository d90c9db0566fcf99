"""The plan of the metro maps: what is trained, once every choice is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastweights.experiments.actor_critic import AGENT_FIELDS, AgentPlan
from fastweights.experiments.metro_map.options import BACKBONES, MEMORY_OPTIONS, MetroMapOptions
from fastweights.experiments.plan import Record

if TYPE_CHECKING:
    from fastweights.tasks import MetroMap

TASK_OPTIONS = ("states", "moves", "graphs")

SINGLE_THREAD_HIDDEN = 256
"""Hidden units below which one thread trains."""


@dataclass(frozen=True, kw_only=True)
class MetroMapPlan(AgentPlan, MetroMapOptions):
    """The options filled in; memory_size and reads are None where there is no such memory."""

    fingerprint_fields = (
        "model",
        "form=rules",
        *TASK_OPTIONS,
        "length=horizon",
        *MEMORY_OPTIONS,
        *AGENT_FIELDS,
    )

    def deciding(self) -> Record:
        """Return the updates too, where a schedule ends with them."""
        return super().deciding() | ({"updates": self.updates} if self.scheduled else {})

    def task(self) -> MetroMap:
        from fastweights.tasks import MetroMap

        return MetroMap(**self.task_config()["options"])

    def check(self) -> None:
        self.task()  # first: other numbers follow from its own
        super().check()

    def backbone_defaults(self) -> Record:
        return dict(BACKBONES.get(self.model, {}))

    def own_fields(self) -> tuple[str, ...]:
        return tuple(MEMORY_OPTIONS)

    @property
    def single_thread(self) -> bool:
        return self.hidden < SINGLE_THREAD_HIDDEN

    def folder_name(self) -> str:
        memory = "" if self.memory_size is None else f"-m{self.memory_size}"
        return f"metro-map-{self.rules}-{self.model}-h{self.hidden}{memory}-s{self.seed}"

    @property
    def title(self) -> str:
        return f"metro maps ({self.rules})"

    def task_config(self) -> Record:
        options = {name: getattr(self, name) for name in TASK_OPTIONS}
        return {
            "name": "metro-map",
            "options": {"form": self.rules, **options, "steps": self.horizon},
        }
