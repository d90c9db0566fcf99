"""What a user chooses of the metro maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastweights.experiments.actor_critic import AgentOptions, AgentTest
from fastweights.experiments.options import MemoryOptions


@dataclass(frozen=True, kw_only=True)
class MetroMapOptions(MemoryOptions, AgentOptions):
    """Train agents to find their way on metro maps that only riding reveals (Schlag et al. 2021, section 4.2).

    Settings left at None are the paper's, the same for all models.
    """

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

    limits = ("minutes", "updates")


@dataclass(frozen=True, kw_only=True)
class MetroMapTest(AgentTest):
    """What a test of a run takes."""

    split: Annotated[
        str | None, "test on the maps of this split: train or test [default: both]"
    ] = None
