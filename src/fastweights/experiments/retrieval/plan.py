"""The plan of associative retrieval: what is trained, once every choice is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastweights.errors import UserError, check_count
from fastweights.experiments.options import (
    OptimiserPlan,
    StepPlan,
    extra_backbone_options,
    has_options,
)
from fastweights.experiments.plan import (
    Plan,
    Record,
    check_finite,
    check_not_negative,
    check_positive,
)
from fastweights.experiments.retrieval.options import FAST_WEIGHT_OPTIONS, RetrievalOptions
from fastweights.experiments.terminal import counted

if TYPE_CHECKING:
    from fastweights.models import SequenceModel
    from fastweights.tasks import Retrieval
    from fastweights.training import Settings, Supervised, TerminalProgress

MAX_SAMPLES = 1_000_000
"""Sequences of a test, which are drawn at once: they fit any machine that trains, and tell a rate to .0001."""

SINGLE_THREAD_WORK = 1500
"""Hidden units times steps of a sequence, below which one thread trains. It lies between runs of 4 pairs (550), which
a second thread slows down, and of 8 pairs (1,900); nothing between them was measured."""


@dataclass(frozen=True, kw_only=True)
class RetrievalPlan(StepPlan, OptimiserPlan, Plan, RetrievalOptions):
    """The options filled in; only the fast weights' own are None, in other models."""

    hidden: int = field()
    embedding: int = field()
    readout: int = field()
    beta2: float = field()

    fingerprint_fields = (
        *("model", "pairs", "form=query", "repeat_keys", "data=sampling", "curriculum"),
        *("hidden", "embedding", "readout", *FAST_WEIGHT_OPTIONS),
        *("steps", "batch", "optimiser", "learning_rate", "beta2", "warmup", "schedule", "clip"),
        *("evaluation_interval", "test_samples", "contrast", "fixed", "set=further"),
    )

    @property
    def further(self) -> tuple[str, ...] | None:
        """Return `set`, or None where it is empty, as in the fingerprints of before there was one."""
        return self.set or None

    def check(self) -> None:
        super().check()
        if not 1 <= self.pairs <= 26:
            raise UserError(f"pairs must be 1 to 26 (there are 26 letters), not {self.pairs}")
        check_positive(self, "hidden", "steps", "batch", "evaluation_interval")
        check_count("test_samples", self.test_samples, MAX_SAMPLES)
        check_not_negative(self, "embedding", "readout", "norm_gain", "input_std")
        check_finite(self, "decay", "rate", "recurrent_scale")
        check_not_negative(self, *(() if self.contrast is None else ("contrast",)))
        if self.fixed and (self.embedding or not has_options(self.model, FAST_WEIGHT_OPTIONS)):
            raise UserError("fixed is for fast weights that are fed with symbols: no embedding")
        stages = self.curriculum or ()
        if any(not 1 <= pairs <= 26 for pairs in stages):
            raise UserError(f"curriculum takes pairs of 1 to 26, not {' '.join(map(str, stages))}")
        if len(stages) > self.steps:
            raise UserError(
                f"a curriculum of {len(stages)} stages takes as many steps or more, not {self.steps}"
            )
        if stages and stages[-1] != self.pairs:
            raise UserError(
                f"a curriculum ends with the task itself: its last stage is {stages[-1]}, pairs is {self.pairs}"
            )
        if stages and self.sampling == "fixed":
            raise UserError(
                "a curriculum needs fresh sequences: leave out one of curriculum and fixed"
            )

    def task(self, pairs: int | None = None) -> Retrieval:
        """Return the task, with other `pairs` for a stage of a curriculum."""
        from fastweights.tasks import Retrieval

        return Retrieval(pairs or self.pairs, form=self.query, repeat_keys=self.repeat_keys)

    @property
    def title(self) -> str:
        return f"retrieval, {counted(self.pairs, 'pair')}, {self.query}"

    def folder_name(self) -> str:
        query = "" if self.query == "paper" else f"-{self.query}"
        return f"retrieval{query}-{self.model}-n{self.pairs}-h{self.hidden}-s{self.seed}"

    def task_config(self) -> Record:
        options = {"pairs": self.pairs, "form": self.query, "repeat_keys": self.repeat_keys}
        return {"name": "retrieval", "options": options}

    def network(self) -> Record:
        own = {name: getattr(self, name) for name in FAST_WEIGHT_OPTIONS}
        own = {name: value for name, value in own.items() if value is not None}
        return {
            "hidden": self.hidden,
            "embedding": self.embedding or None,
            "readout": self.readout or None,
            "options": {**own, **extra_backbone_options(self.model, self.set, own)},
        }

    def sizes(self) -> dict[str, int]:
        task = self.task()
        return {"input": task.vocabulary, "classes": task.classes}

    def engine_settings(self) -> Settings:
        return self.settings(
            self.steps,
            optimiser=self.optimiser,
            schedule=self.schedule,
            evaluation_interval=self.evaluation_interval,
            beta2=self.beta2,
        )

    def source(self) -> Supervised:
        """Return the batches: fresh or fixed sequences, in stages if there is a curriculum."""
        from fastweights.experiments.retrieval.contrast import Contrastive

        stages = self.curriculum or (self.pairs,)
        share = self.steps / len(stages)
        return Contrastive(
            [(round(place * share), self.task(pairs)) for place, pairs in enumerate(stages)],
            batch=self.batch,
            seed=self.seed,
            fixed=self.sampling == "fixed",
            probe_size=0 if self.fixed else 32,
            device=self.device,
            contrast=self.contrast or 0.0,
        )

    def prepare(self, model: SequenceModel) -> None:
        """Leave to training what is to be trained: all, or the read-out alone."""
        from torch import nn

        from fastweights.nn import FastWeightRNN

        if self.fixed and isinstance(model.backbone, FastWeightRNN):
            model.backbone.requires_grad_(False)
            if self.fixed == "identity":
                nn.init.eye_(model.backbone.input.weight)

    @property
    def single_thread(self) -> bool:
        return self.hidden * self.task().length < SINGLE_THREAD_WORK

    def summary(self) -> str:
        return f"{self.title}, {counted(self.steps, 'step')} of {counted(self.batch, 'sequence')}"

    def progress(self) -> TerminalProgress:
        from fastweights.training import TerminalProgress

        return TerminalProgress(
            f"{self.model}, {counted(self.pairs, 'pair')}", self.task().no_binding_ceiling
        )
