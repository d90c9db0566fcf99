"""Reinforcement learning: agents act for an episode, then learn from it by advantage actor-critic (A2C)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from fastweights.errors import UserError, check_at_least
from fastweights.models import SequenceModel
from fastweights.nn.parts.mode import without_dropout
from fastweights.tasks.environment import Environment
from fastweights.training.engine import distributed, seeds
from fastweights.training.engine.source import BatchSource, Reading
from fastweights.training.sources.auxiliary import add_auxiliary_loss
from fastweights.training.sources.episodes import Episode, play

_SMALLEST_SPREAD = 1e-8


class Rollout(BatchSource):
    """A task that agents act in, as a `Source`: a batch is one episode of all agents, from the zero state.

    The agents act step by step, which leaves nothing behind, and learn from the whole episode in
    one pass over it: the gradient is that of the steps, for a fraction of their cost. The loss is
    the mean over agents and steps of

        −log π(a_t) A_t + value_weight (R_t − V_t)² − entropy_weight H(π_t)

    with the return R_t = r_t + γ R_t+1 and the advantage A_t = δ_t + γ λ A_t+1, a constant, where
    δ_t = r_t + γ V_t+1 − V_t; R, V and A are 0 after the end. With λ = 1 the advantage is R_t − V_t;
    a smaller λ credits an action with what the value made of it soon after. To it comes what layers
    have of their own (`auxiliary_loss`). Agents act and learn without dropout, so that π is the same
    policy in both; everything random in an update follows from the seed and the update's number.

    Args:
        task: what is acted in, for example `fastweights.tasks.Catch`.
        agents: episodes in a batch; each of several processes has its share of them.
        discount: γ, 0 to 1.
        trace_decay: λ, 0 to 1.
        value_weight: of the squared error of the value.
        entropy_weight: of the policy's entropy; or (start, end, updates): linear from start to end
            over so many updates, then end.
        normalise_advantage: bring the advantages of a batch to mean 0 and standard deviation 1.
        seed: of the episodes, those of training and those of evaluation.
        device: where the episodes are played; the model's.
        test_agents: episodes of an evaluation.
        test_split: split of the task whose worlds are evaluated in.
        auxiliary: weight of the loss that layers have of their own.

    Raises:
        UserError: on a number out of range, or agents that cannot be shared out.

    Source: Mnih et al., "Asynchronous Methods for Deep Reinforcement Learning", 2016, without its
    asynchrony; the advantage of Schulman et al., "High-Dimensional Continuous Control Using
    Generalized Advantage Estimation", 2016, eq. 16. The constants left alone are those of Schlag et
    al. 2021, appendix I.
    """

    def __init__(
        self,
        task: Environment[Any],
        *,
        agents: int = 512,
        discount: float = 0.9,
        trace_decay: float = 1.0,
        value_weight: float = 0.1,
        entropy_weight: float | tuple[float, float, int] = 0.03,
        normalise_advantage: bool = False,
        seed: int = 0,
        device: str = "cpu",
        test_agents: int = 2000,
        test_split: str = "test",
        auxiliary: float = 1.0,
    ) -> None:
        check_at_least(1, agents=agents, test_agents=test_agents)
        for name, share in (("discount", discount), ("trace_decay", trace_decay)):
            if not 0 <= share <= 1:
                raise UserError(f"{name} must be from 0 to 1, not {share}")
        if not 0 <= value_weight < math.inf:
            raise UserError(f"value_weight must not be negative, not {value_weight}")
        self.task, self.agents, self.own = task, agents, distributed.share(agents)
        self.discount, self.trace_decay, self.value_weight = discount, trace_decay, value_weight
        self.entropy = Entropy.of(entropy_weight)
        self.normalise_advantage = normalise_advantage
        self.seed, self.device = seed, torch.device(device)
        self.test_agents, self.test_split = test_agents, test_split
        self.auxiliary = auxiliary
        self.updates = 0

    def next_batch(self, model: nn.Module) -> tuple[Episode, Float[Tensor, ""]]:
        """Play an episode; return it and the weight of the entropy."""
        generator = self._generator(f"episode {self.updates}")
        episode = play(_agent(model), self.task, self.agents, generator, rows=self.own)
        weight = episode.rewards.new_full((), self.entropy.weight(self.updates))
        self.updates += 1
        return episode, weight

    def loss(
        self, model: nn.Module, batch: tuple[Episode, Float[Tensor, ""]]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor], object]:
        """Compute an episode's loss, the mean total `reward`, the policy's `entropy`, the `value_loss`.

        Where layers have an objective of their own it is in the loss, and in the metrics as `auxiliary`.
        In one of several processes all are means over its own agents.
        """
        episode, entropy_weight = batch
        with without_dropout(model):
            output, _ = model(episode.observations, need_state=False)
        losses = actor_critic(
            output,
            episode.actions,
            episode.rewards,
            discount=self.discount,
            trace_decay=self.trace_decay,
            normalise_advantage=self.normalise_advantage,
        )
        loss = losses.policy + self.value_weight * losses.value - entropy_weight * losses.entropy
        metrics = {
            "reward": episode.rewards.sum(1).mean(),
            "entropy": losses.entropy.detach(),
            "value_loss": losses.value.detach(),
        }
        return add_auxiliary_loss(model, loss, metrics, self.auxiliary, named=None), metrics, None

    def evaluate(self, model: nn.Module) -> Mapping[str, Reading]:
        """Play episodes of evaluation, actions sampled: the mean total `reward`, and its standard error."""
        generator = self._generator("test")
        episode = play(_agent(model), self.task, self.test_agents, generator, split=self.test_split)
        total = episode.rewards.double().sum(1)
        error = total.std(correction=0) / math.sqrt(len(total))
        return {"reward": total.mean().item(), "reward_error": error.item()}

    def probe(self, model: nn.Module) -> Mapping[str, float]:
        """Return the weight of the entropy in the next update."""
        return {"entropy_weight": self.entropy.weight(self.updates)}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the number of updates: all else follows from it."""
        return {}, {"updates": self.updates}

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        self.updates = meta["updates"]

    def _generator(self, purpose: str) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(seeds.derive(self.seed, purpose))


def _agent(model: nn.Module) -> SequenceModel:
    if not isinstance(model, SequenceModel):
        raise UserError(f"agents are SequenceModels, not {type(model).__name__}")
    return model


class Entropy(NamedTuple):
    """The weight of the entropy over the updates: linear from `start` to `end`, then constant."""

    start: float
    end: float
    updates: int

    @classmethod
    def of(cls, given: float | tuple[float, float, int]) -> Entropy:
        """Build it from a constant or (start, end, updates).

        Raises:
            UserError: if a weight is negative or not finite, or the updates are fewer than 1.
        """
        start, end, updates = given if isinstance(given, tuple) else (given, given, 1)
        if not (0 <= start < math.inf and 0 <= end < math.inf and updates >= 1):
            raise UserError(
                "entropy_weight must be a number ≥ 0, or two of them and the updates (≥ 1) from one"
                f" to the other, not {given}"
            )
        return cls(start, end, updates)

    def weight(self, update: int) -> float:
        """Return the weight at an update, counted from 0.

        Example:
            >>> [Entropy(0.5, 0.25, 2).weight(update) for update in range(4)]
            [0.5, 0.375, 0.25, 0.25]
        """
        return self.start + (self.end - self.start) * min(1.0, update / self.updates)


class Losses(NamedTuple):
    """The parts of the loss, each a mean over agents and steps."""

    policy: Float[Tensor, ""]
    value: Float[Tensor, ""]
    entropy: Float[Tensor, ""]


def actor_critic(
    output: Float[Tensor, "agents time outputs"],
    actions: Int[Tensor, "agents time"],
    rewards: Float[Tensor, "agents time"],
    *,
    discount: float,
    trace_decay: float = 1.0,
    normalise_advantage: bool = False,
) -> Losses:
    """Compute the parts of the loss.

    Args:
        output: of the model: logits of the actions, then the value.
        actions: taken.
        rewards: r_t.
        discount: γ.
        trace_decay: λ.
        normalise_advantage: over the agents of all processes and all steps.
    """
    log_policy = F.log_softmax(output[..., :-1], -1)
    taken = log_policy.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    value = output[..., -1]
    following = F.pad(value.detach()[:, 1:], (0, 1))
    surprise = rewards + discount * following - value.detach()
    advantage = discounted(surprise, discount * trace_decay)
    if normalise_advantage:
        advantage = advantage - distributed.mean(advantage.mean())
        spread = distributed.mean(advantage.square().mean()).sqrt()
        advantage = advantage / spread.clamp(min=_SMALLEST_SPREAD)
    return Losses(
        policy=-(taken * advantage).mean(),
        value=(discounted(rewards, discount) - value).square().mean(),
        entropy=-(log_policy.exp() * log_policy).sum(-1).mean(),
    )


def discounted(
    given: Float[Tensor, "agents time"], discount: float
) -> Float[Tensor, "agents time"]:
    """Add up what is given from each step on: G_t = g_t + γ G_t+1, 0 after the end, for all t in one product.

    Example:
        >>> discounted(torch.tensor([[1.0, 0.0, 4.0]]), 0.5).tolist()
        [[2.0, 2.0, 4.0]]
    """
    steps = torch.arange(given.shape[1], device=given.device)
    ahead = steps[:, None] - steps
    # Not a tensor made from a number: that is a copy from the processor.
    fading = given.new_full((), discount) ** ahead.clamp(min=0) * (ahead >= 0)
    return given @ fading
