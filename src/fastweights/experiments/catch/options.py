"""What a user chooses of Catch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastweights.experiments.actor_critic import AgentOptions
from fastweights.experiments.options import FastWeightOptions


@dataclass(frozen=True, kw_only=True)
class CatchOptions(FastWeightOptions, AgentOptions):
    """Train agents on Catch: the ball falls on when the screen has gone blank (Ba et al. 2016, section 4.4).

    Settings left at None are the same for all models but for the learning rate.
    """

    size: int = 16
    """Rows and columns of the screen, N."""
    visible: int = 3
    """Frames before the screen goes blank, M."""
    start: Literal["random", "middle"] = "random"
    """Where the paddle begins."""
    last_action: bool = True
    """Let the agents see their last action."""
