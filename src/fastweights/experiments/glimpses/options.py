"""Options of MNIST glimpses, and their defaults."""

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
    backbone_fields,
    has_options,
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
    """Options of a test of a run."""

    split: Annotated[str | None, "test on this split: train, valid or test [default: test]"] = None


FAST_WEIGHT_OPTIONS = {"decay": 0.95, "rate": 0.5, "inner_steps": 1}
"""Fields that only a fast-weights RNN understands, with the paper's values; they become the backbone's options."""


def defaults(options: GlimpsesOptions) -> dict[str, object]:
    """Return every default: one for all models but for the memory's constants, more steps for the larger ones.

    Raises:
        UserError: if an option is given that the model does not have.
    """
    backbone_fields(options, FAST_WEIGHT_OPTIONS)
    default_steps = 12_000 if options.features < 100 else 20_000
    steps = options.steps or default_steps
    return {
        "glimpse_layer": 0 if options.model == "convnet" else 200,
        "input_dropout": 0.15,
        "steps": default_steps,
        "batch": 128,
        "learning_rate": 4e-3,
        "weight_decay": 0.2,
        "warmup": min(200, steps // 10),
        "clip": 1.0,
        "evaluation_interval": max(1, steps // 20),
        **(FAST_WEIGHT_OPTIONS if has_options(options.model, FAST_WEIGHT_OPTIONS) else {}),
    }
