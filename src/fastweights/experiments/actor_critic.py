"""What the experiments on agents have in common: advantage actor-critic, and how long and where they are trained."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastweights.errors import UserError, check_count, check_seed
from fastweights.experiments.options import (
    BackboneOptions,
    OptimiserOptions,
    OptimiserPlan,
    RunOptions,
    TimeOptions,
    backbone_fields,
    extra_backbone_options,
)
from fastweights.experiments.plan import (
    Record,
    TimedPlan,
    check_not_negative,
    check_positive,
)
from fastweights.experiments.terminal import counted, progress_bar

if TYPE_CHECKING:
    from fastweights.models import SequenceModel
    from fastweights.tasks import Environment
    from fastweights.training import Outcome, Rollout, Settings, TerminalProgress

TEST_SEED = 2**31
"""Added to a run's seed for the episodes of its test, far from the seeds of training and evaluation."""

MAX_EPISODES = 100_000
"""Episodes of a test or an evaluation, which are played side by side and kept."""


@dataclass(frozen=True, kw_only=True)
class AgentOptions(TimeOptions, BackboneOptions, OptimiserOptions, RunOptions):
    """Train agents; an update plays one episode with all of them."""

    hidden: int | None = None
    """Hidden units of the backbone."""
    embedding: int | None = None
    """Units of a ReLU layer that reads the observations; 0: the backbone reads them itself."""
    readout: int | None = None
    """Units of a ReLU layer before the policy and the value; 0: none."""
    agents: int | None = None
    """Agents, each with an episode an update."""
    updates: int | None = None
    """Training updates."""
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
    beta2: float | None = None
    """Adam's second-moment decay (RMSProp's smoothing)."""
    eps: float | None = None
    """The optimiser's ε."""
    evaluation_interval: int | None = None
    """Updates between evaluations."""
    evaluation_episodes: int | None = None
    """Episodes of an evaluation."""
    test_episodes: int | None = None
    """Episodes of the final test."""

    limits = ("minutes",)


@dataclass(frozen=True, kw_only=True)
class AgentTest:
    """Options of a test of agents."""

    samples: Annotated[int | None, "play so many episodes [default: as in training]"] = None
    seed: Annotated[int | None, "seed of those episodes [default: 0, the recorded test's]"] = None


@dataclass(frozen=True, kw_only=True)
class AgentPlan(OptimiserPlan, TimedPlan, AgentOptions, ABC):
    """The options filled in; a task's own plan says what is acted in."""

    hidden: int = field()
    embedding: int = field()
    readout: int = field()
    agents: int = field()
    updates: int = field()
    discount: float = field()
    trace_decay: float = field()
    value_weight: float = field()
    entropy_weight: float = field()
    final_entropy_weight: float = field()
    normalise_advantage: bool = field()
    beta2: float = field()
    eps: float = field()
    evaluation_interval: int = field()
    evaluation_episodes: int = field()
    test_episodes: int = field()

    @abstractmethod
    def task(self) -> Environment[Any]:
        """Return the task."""

    @abstractmethod
    def backbone_defaults(self) -> Record:
        """Return the backbone's options on this task that have no field."""

    @abstractmethod
    def own_fields(self) -> tuple[str, ...]:
        """Return the fields that become options of the backbone, where it has them."""

    @property
    def frames(self) -> int:
        """Observations that an update learns from."""
        return self.agents * self.task().horizon

    def check(self) -> None:
        check_positive(self, "hidden", "updates")
        for name in ("evaluation_episodes", "test_episodes"):
            check_count(name, getattr(self, name), MAX_EPISODES)
        check_not_negative(self, "embedding", "readout")
        super().check()
        if self.minutes is not None and self.scheduled:
            raise UserError("a schedule ends at an update: leave out the schedule or minutes")
        self.engine_settings()
        self.source()

    @property
    def scheduled(self) -> bool:
        """Whether a setting changes with the updates, up to the last."""
        return self.schedule == "cosine" or self.entropy_weight != self.final_entropy_weight

    def extent(self) -> dict[str, float]:
        return {"steps": self.updates}

    def network(self) -> Record:
        own = backbone_fields(self, self.own_fields())
        given = extra_backbone_options(self.model, self.set, own)
        return {
            "inputs": "vectors",
            "hidden": self.hidden,
            "embedding": self.embedding or None,
            "readout": self.readout or None,
            "options": {**self.backbone_defaults(), **own, **given},
        }

    def sizes(self) -> dict[str, int]:
        """Return the features of an observation; the classes are the actions and the value."""
        task = self.task()
        return {"input": task.features, "classes": task.actions + 1}

    def engine_settings(self) -> Settings:
        return self.settings(
            self.updates,
            optimiser=self.optimiser,
            schedule=self.schedule,
            evaluation_interval=self.evaluation_interval,
            beta2=self.beta2,
            eps=self.eps,
        )

    def source(self) -> Rollout:
        """Return the rollouts."""
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

    @property
    def single_thread(self) -> bool:
        return True

    def summary(self) -> str:
        return f"{self.title}, {self.duration(counted(self.updates, 'update'))} of {counted(self.agents, 'episode')}"

    def progress(self) -> TerminalProgress:
        from fastweights.training import TerminalProgress

        title = f"{self.model}, {self.title}"
        return TerminalProgress(title, work=self.frames, unit="frames", limit=self.seconds)


AGENT_FIELDS = (
    *("hidden", "embedding", "readout", "set", "agents", "discount", "trace_decay"),
    *("value_weight", "entropy_weight", "final_entropy_weight", "normalise_advantage"),
    *("optimiser", "learning_rate", "beta2", "eps", "warmup", "schedule", "clip"),
    *("evaluation_interval", "evaluation_episodes", "test_episodes"),
)
"""Fields of agents that decide what is learned; how many updates is for a task to say."""


def evaluate(model: SequenceModel, plan: AgentPlan, outcome: Outcome) -> Record:
    """Test trained agents; there are no questions to answer."""
    pace = outcome.steps / outcome.seconds if outcome.seconds else None
    return {
        **measure(model, plan.task(), plan.test_episodes, plan.seed),
        "train_reward": outcome.metrics.get("train_reward"),
        "evaluation_reward": outcome.metrics.get("reward"),
        "frames": outcome.steps * plan.frames,
        "updates_per_second": pace,
    }


def measure(
    model: SequenceModel, task: Environment[Any], episodes: int, seed: int, *, split: str = "test"
) -> Record:
    """Play fresh episodes of a split, actions sampled: the mean total reward and its standard error.

    Raises:
        UserError: if a number is out of range.
    """
    import torch

    from fastweights.training import play

    check_seed(seed)
    check_count("samples", episodes, MAX_EPISODES)
    generator = torch.Generator(next(model.parameters()).device).manual_seed(TEST_SEED + seed)
    model.eval()
    with progress_bar(f"{split} episodes", "steps", task.horizon) as on_progress:
        played = play(model, task, episodes, generator, split=split, on_progress=on_progress)
    total = played.rewards.double().sum(1)
    error = total.std(correction=0) / math.sqrt(episodes)
    return {
        f"{split}_reward": total.mean().item(),
        f"{split}_reward_error": error.item(),
        f"{split}_episodes": episodes,
    }
