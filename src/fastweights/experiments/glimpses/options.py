"""What a user chooses of MNIST glimpses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastweights.experiments.options import (
    BackboneOptions,
    DataOptions,
    DescentOptions,
    FastWeightOptions,
    RunOptions,
    StepOptions,
)


@dataclass(frozen=True, kw_only=True)
class GlimpsesOptions(
    StepOptions, FastWeightOptions, BackboneOptions, DescentOptions, DataOptions, RunOptions
):
    """Train a model on MNIST seen as 24 small glimpses at two scales (Ba et al. 2016, section 4.2).

    The optimiser is AdamW; after its warm-up the learning rate falls to 0 along a cosine. The backbone convnet sees the
    whole picture at once.
    """

    features: int = 50
    """Hidden units of the backbone (the paper has 50, 100, 200)."""
    reading: Literal["plain", "hierarchical"] = "plain"
    """`plain`: fine glimpses, then coarse, with their position. `hierarchical`: by quadrant, coarse then fine."""
    inner_steps: int | None = None
    """fast-weights: steps S of the inner loop."""
    glimpse_layer: int | None = None
    """Units of the ReLU layer that reads each glimpse; 0 hands it to the backbone as it is."""
    input_dropout: float | None = None
    """The probability that a number of a glimpse is dropped in training."""
    weight_decay: float | None = None
    """Decoupled weight decay."""


@dataclass(frozen=True, kw_only=True)
class GlimpsesTest(DataOptions):
    """What a test of a run takes."""

    split: Annotated[str | None, "test on this split: train, valid or test [default: test]"] = None
