"""Options of the metro maps, and their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from fastweights.experiments.actor_critic import AgentOptions, AgentTest
from fastweights.experiments.options import MemoryOptions, backbone_fields, has_options


@dataclass(frozen=True, kw_only=True)
class MetroMapOptions(MemoryOptions, AgentOptions):
    """Train agents to find their way on metro maps that only riding reveals (Schlag et al. 2021, section 4.2).

    Settings that are not given are the paper's, the same for all models.
    """

    model: str = "fwm"
    """Backbone; `fastweights list` shows them all."""
    rules: Literal["faithful", "fixed"] = "faithful"
    """`faithful`: the task as the authors' program has it. `fixed`: as the paper says."""
    states: int = 5
    """Stations of a map."""
    moves: int = 3
    """Moves at each station."""
    graphs: int = 600
    """Maps to train on; there are as many others to test on."""
    horizon: int = 30
    """Steps of an episode."""

    limits = ("minutes", "updates")
    renamed: ClassVar[Mapping[str, str]] = {"form": "rules", "length": "horizon"}


@dataclass(frozen=True, kw_only=True)
class MetroMapTest(AgentTest):
    """Options of a test of a run."""

    split: Annotated[
        str | None, "test on the maps of this split: train or test [default: both]"
    ] = None


MEMORY_OPTIONS = {"memory_size": 16, "reads": 3}
"""Fields that only a Fast Weight Memory understands; they become the backbone's options."""

BACKBONES: Mapping[str, Mapping[str, object]] = {"fwm": {"variant": "meta_rl"}}
"""Options of a backbone on this task; the LSTM starts as `torch.nn.LSTM` does, as in the released program."""

MILESTONES = (12_700, 51_000)
"""Updates after which a run's evaluation on the test maps is among its results: a quarter of those that the authors'
log of the FWM has, and all of them."""


def defaults(options: MetroMapOptions) -> dict[str, object]:
    """Return every default; the same for all models but for the memory's own.

    Raises:
        UserError: if an option is given that the model does not have.
    """
    backbone_fields(options, MEMORY_OPTIONS)
    updates = options.steps_or_endless(options.updates or MILESTONES[0])
    entropy_weight = 0.03 if options.entropy_weight is None else options.entropy_weight
    return {
        "hidden": 32,
        "embedding": 0,
        "readout": 0,
        **(MEMORY_OPTIONS if has_options(options.model, MEMORY_OPTIONS) else {}),
        "agents": options.graphs,
        "updates": updates,
        "discount": 0.9,
        "trace_decay": 1.0,
        "value_weight": 0.1,
        "entropy_weight": entropy_weight,
        "final_entropy_weight": entropy_weight,
        "normalise_advantage": False,
        "optimiser": "adam",
        "learning_rate": 1e-3,
        "beta2": 0.999,
        "eps": 1e-4,
        "warmup": 0,
        "schedule": "constant",
        "clip": 0.0,
        # The released program evaluates every 50 updates, which costs a hundredth of them.
        "evaluation_interval": max(1, min(100, updates // 20)),
        "evaluation_episodes": options.graphs,
        "test_episodes": options.graphs,
    }
