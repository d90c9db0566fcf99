"""What the recipes of agents have in common: advantage actor-critic, and how long and where they are trained."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from fastweights.errors import UserError, check_count, check_seed
from fastweights.experiments.experiment import Recipe
from fastweights.experiments.options import further

if TYPE_CHECKING:
    from fastweights.models import SequenceModel
    from fastweights.tasks import Environment
    from fastweights.training import Outcome, Rollout, Settings, TerminalProgress

TEST_SEED = 2**31
"""Added to a recipe's seed for the episodes of its test, far from the seeds of training and evaluation."""


MOST_EPISODES = 100_000
"""Episodes of a test or an evaluation, which are played side by side and kept."""


@dataclass(frozen=True)
class Acting(Recipe):
    """Train agents; an update plays one episode with all of them."""

    model: str = "fast-weights"
    """Backbone; `fastweights list` shows them all."""
    hidden: int | None = None
    """Hidden units of the backbone."""
    embedding: int | None = None
    """Units of a ReLU layer that reads the observations; 0: the backbone reads them itself."""
    readout: int | None = None
    """Units of a ReLU layer before the policy and the value; 0: none."""
    set: tuple[str, ...] = ()
    """Further options of the backbone, NAME=VALUE, such as recurrent_scale=0.5."""
    agents: int | None = None
    """Agents, each with an episode an update."""
    updates: int | None = None
    """Training updates."""
    minutes: float | None = None
    """End after this many minutes of training instead (resumable with more); the schedules are then constant."""
    discount: float | None = None
    """Discount γ."""
    trace_decay: float | None = None
    """Decay λ of the advantage's trace; 1: the return minus the value."""
    value_weight: float | None = None
    """Weight of the value's squared error."""
    entropy_weight: float | None = None
    """Weight of the policy's entropy in the beginning."""
    final_entropy_weight: float | None = None
    """Weight of the entropy at the end, reached in a straight line."""
    normalise_advantage: bool | None = None
    """Bring each update's advantages to mean 0 and standard deviation 1."""
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd"] | None = None
    """Optimiser."""
    learning_rate: float | None = None
    """Peak learning rate."""
    beta2: float | None = None
    """Adam's second-moment decay (RMSProp's smoothing)."""
    eps: float | None = None
    """The optimiser's ε."""
    warmup: int | None = None
    """Updates of linear warm-up."""
    schedule: Literal["constant", "cosine"] | None = None
    """Learning rate after the warm-up."""
    clip: float | None = None
    """Clip the gradient's global norm here; 0 never clips."""
    evaluation_interval: int | None = None
    """Updates between evaluations."""
    evaluation_episodes: int | None = None
    """Episodes of an evaluation."""
    test_episodes: int | None = None
    """Episodes of the final test."""
    seed: int = 0
    """Seed of the weights and of all episodes."""
    device: str = "cpu"
    """Where to train: cpu, cuda, cuda:1 …"""
    backend: Literal["auto", "reference", "chunked", "cpu", "cuda"] = "auto"
    """Which implementation of the recurrence runs."""

    aside: ClassVar[tuple[str, ...]] = ("minutes",)


@dataclass(frozen=True)
class ReadyToAct(Acting):
    """A recipe of agents with nothing left to choose; a task's own recipe says what is acted in."""

    hidden: int = 100
    embedding: int = 0
    readout: int = 0
    agents: int = 512
    updates: int = 1
    discount: float = 1.0
    trace_decay: float = 1.0
    value_weight: float = 0.5
    entropy_weight: float = 0.0
    final_entropy_weight: float = 0.0
    normalise_advantage: bool = False
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd"] = "adam"
    learning_rate: float = 1e-3
    beta2: float = 0.999
    eps: float = 1e-8
    warmup: int = 0
    schedule: Literal["constant", "cosine"] = "constant"
    clip: float = 0.0
    evaluation_interval: int = 1
    evaluation_episodes: int = 1
    test_episodes: int = 1

    @abstractmethod
    def task(self) -> Environment[Any]:
        """Make the task."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Give the backbone's options, without those of `--set`."""

    @property
    def steps(self) -> int:
        """The engine's steps are updates."""
        return self.updates

    @property
    def frames(self) -> int:
        """Observations that an update learns from."""
        return self.agents * self.task().horizon

    def check(self) -> None:
        """Refuse values out of range; what a model, the task or the engine checks for itself is left to them.

        Raises:
            UserError: naming the first.
        """
        for name in ("hidden", "updates"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("evaluation_episodes", "test_episodes"):
            check_count(name, getattr(self, name), MOST_EPISODES)
        for name in ("embedding", "readout"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} must not be negative, not {getattr(self, name)}")
        check_seed(self.seed)
        if self.minutes is not None:
            if not 0 < self.minutes < math.inf:
                raise UserError(f"minutes must be more than 0, not {self.minutes:g}")
            if self.scheduled():
                raise UserError("a schedule ends at an update: leave out the schedule or minutes")
        self.engine_settings()
        self.source()

    def scheduled(self) -> bool:
        """Whether a setting changes with the updates, up to the last."""
        return self.schedule == "cosine" or self.entropy_weight != self.final_entropy_weight

    def network(self) -> dict[str, Any]:
        """Describe the model by what `fastweights.models.model_config` takes, without what the task decides."""
        given = further(self.model, self.set, self.own_options())
        return {
            "inputs": "vectors",
            "hidden": self.hidden,
            "embedding": self.embedding or None,
            "readout": self.readout or None,
            "options": {**self.options(), **given},
        }

    def sizes(self) -> dict[str, int]:
        """Give the features of an observation; the classes are the actions and the value."""
        task = self.task()
        return {"input": task.features, "classes": task.actions + 1}

    def own_options(self) -> tuple[str, ...]:
        """Name the backbone's options that the recipe has fields for."""
        return ()

    def engine_settings(self) -> Settings:
        """Translate the recipe into the engine's settings."""
        from fastweights.training import Optimiser, Schedule, Settings

        return Settings(
            steps=self.updates,
            seconds=None if self.minutes is None else 60 * self.minutes,
            optimiser=Optimiser(
                self.optimiser, self.learning_rate, betas=(0.9, self.beta2), eps=self.eps
            ),
            schedule=Schedule(self.warmup, self.schedule),
            clip=self.clip,
            seed=self.seed,
            evaluation_interval=self.evaluation_interval,
            checkpoint_seconds=10.0,
            device=self.device,
        )

    def source(self) -> Rollout:
        """Make the rollouts."""
        from fastweights.training import Rollout

        return Rollout(
            self.task(),
            agents=self.agents,
            discount=self.discount,
            trace_decay=self.trace_decay,
            value_weight=self.value_weight,
            entropy_weight=(self.entropy_weight, self.final_entropy_weight, self.updates),
            normalise_advantage=self.normalise_advantage,
            seed=self.seed,
            device=self.device,
            test_agents=self.evaluation_episodes,
        )

    def small(self) -> bool:
        return True

    def opening(self, model: SequenceModel) -> str:
        from fastweights.experiments.runner import backend_of

        weights = sum(weight.numel() for weight in model.parameters())
        time = f"{self.updates:,} updates" if self.minutes is None else f"{self.minutes:g} minutes"
        return (
            f"{self.model}: {self.hidden} hidden units, {weights:,} weights, backend {backend_of(model)};"
            f" {self.describe()['task']}, {time} of {self.agents} episodes"
        )

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Say in a row of results what was trained: `task`, `hidden`."""

    def progress(self) -> TerminalProgress:
        """Make the bar that shows the training on a terminal."""
        from fastweights.training import TerminalProgress

        limit = None if self.minutes is None else 60 * self.minutes
        title = f"{self.model}, {self.describe()['task']}"
        return TerminalProgress(title, work=self.frames, unit="frames", limit=limit)

    def examine(
        self, model: SequenceModel, outcome: Outcome
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Test the trained agents; there are no questions to answer."""
        tested = examined(model, self.task(), self.test_episodes, self.seed)
        pace = outcome.steps / outcome.seconds if outcome.seconds else None
        trained = {
            "train_reward": outcome.metrics.get("train_reward"),
            "evaluation_reward": outcome.metrics.get("reward"),
            "frames": outcome.steps * self.frames,
            "updates_per_second": pace,
        }
        return {**tested, **trained}, []


def examined(
    model: SequenceModel, task: Environment[Any], episodes: int, seed: int, *, split: str = "test"
) -> dict[str, Any]:
    """Play fresh episodes of a split, actions sampled: the mean total reward and its standard error."""
    from fastweights.training import play

    check_seed(seed)
    generator = torch.Generator(next(model.parameters()).device).manual_seed(TEST_SEED + seed)
    model.eval()
    total = play(model, task, episodes, generator, split=split).rewards.double().sum(1)
    error = total.std(correction=0) / math.sqrt(episodes)
    return {
        f"{split}_reward": total.mean().item(),
        f"{split}_reward_error": error.item(),
        f"{split}_episodes": episodes,
    }
