"""The plan of MNIST glimpses: what is trained, once every choice is made."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fastweights.errors import UserError
from fastweights.experiments.glimpses.options import FAST_WEIGHT_OPTIONS, GlimpsesOptions
from fastweights.experiments.options import StepPlan, backbone_fields, extra_backbone_options
from fastweights.experiments.plan import Plan, Record, check_not_negative, check_positive
from fastweights.experiments.terminal import counted

if TYPE_CHECKING:
    from fastweights.tasks import Glimpses
    from fastweights.training import Settings, Supervised, TerminalProgress

EPOCH = 55_000
"""Images of the train split."""

SINGLE_THREAD_FEATURES = 100
"""Features below which one thread trains: a step is then too short for a second one to pay."""


@dataclass(frozen=True, kw_only=True)
class GlimpsesPlan(StepPlan, Plan, GlimpsesOptions):
    """The options filled in; only the fast weights' own are None, in other models."""

    glimpse_layer: int = field()
    input_dropout: float = field()
    weight_decay: float = field()

    fingerprint_fields = (
        *("model", "features", "reading", *FAST_WEIGHT_OPTIONS, "set", "glimpse_layer"),
        *("input_dropout", "steps", "batch", "learning_rate", "weight_decay", "warmup", "clip"),
        "evaluation_interval",
    )

    def check(self) -> None:
        super().check()
        check_positive(self, "features", "steps", "batch", "evaluation_interval")
        check_not_negative(self, "glimpse_layer")
        if not 0 <= self.input_dropout < 1:
            raise UserError(f"input_dropout must be from 0 to below 1, not {self.input_dropout:g}")
        if self.batch > EPOCH:
            raise UserError(
                f"batch must be at most {EPOCH}, the images there are, not {self.batch}"
            )
        if self.model == "convnet" and self.glimpse_layer:
            raise UserError("a convnet sees the pixels themselves: its glimpse_layer must be 0")

    def task(self) -> Glimpses:
        """Load the task."""
        return _task(self.data_dir, self.reading)

    @property
    def title(self) -> str:
        return f"MNIST glimpses, {self.reading}"

    def folder_name(self) -> str:
        return f"glimpses-{self.reading}-{self.model}-h{self.features}-s{self.seed}"

    def task_config(self) -> Record:
        return {"name": "glimpses", "options": {"reading": self.reading}}

    def network(self) -> Record:
        from fastweights.tasks.glimpses import cells

        own = backbone_fields(self, FAST_WEIGHT_OPTIONS)
        if self.model == "convnet":
            own["cells"] = list(cells(self.reading))
        return {
            "inputs": "vectors",
            "hidden": self.features,
            "embedding": self.glimpse_layer or None,
            "input_dropout": self.input_dropout,
            "options": {**own, **extra_backbone_options(self.model, self.set, own)},
        }

    def sizes(self) -> dict[str, int]:
        from fastweights.tasks.glimpses import features

        return {"input": features(self.reading), "classes": 10}

    def engine_settings(self) -> Settings:
        return self.settings(
            self.steps,
            optimiser="adamw",
            schedule="cosine",
            evaluation_interval=self.evaluation_interval,
            weight_decay=self.weight_decay,
        )

    def source(self) -> Supervised:
        """Return the batches: epochs of the train split, each in an order of its own."""
        from fastweights.training import Supervised

        return Supervised(self.task(), batch=self.batch, seed=self.seed, device=self.device)

    @property
    def single_thread(self) -> bool:
        return self.features < SINGLE_THREAD_FEATURES

    def summary(self) -> str:
        images = len(self.task().split("train").answer)
        return f"{self.title}, {images:,} images, {counted(self.steps, 'step')} of {self.batch}"

    def progress(self) -> TerminalProgress:
        from fastweights.training import TerminalProgress

        title = f"{self.model}, {self.reading} glimpses"
        return TerminalProgress(title, work=self.batch, unit="images")


@functools.lru_cache(maxsize=2)
def _task(data_dir: Path | None, reading: str) -> Glimpses:
    from fastweights.tasks import Glimpses

    return Glimpses(data_dir, reading=reading)
