"""What a user chooses of associative retrieval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastweights.experiments.options import (
    FastWeightOptions,
    OptimiserOptions,
    RunOptions,
    StepOptions,
)


@dataclass(frozen=True, kw_only=True)
class RetrievalOptions(FastWeightOptions, StepOptions, OptimiserOptions, RunOptions):
    """Train a model on associative retrieval: `c9k8j3f1??c → 9` (Ba et al. 2016, section 4.1).

    Settings left at None are those that reach the recorded accuracy for the chosen pairs, form and model.
    """

    pairs: int = 4
    """Key-value pairs in a sequence, 1 to 26."""
    form: Literal["paper", "trailing-read"] = "paper"
    """`paper`: …??q, answer at once. `trailing-read`: …??q?, answer one step later."""
    repeat_keys: bool = False
    """Draw keys with repetition (they are distinct otherwise)."""
    data: Literal["fresh", "fixed"] = "fresh"
    """`fresh`: new sequences for ever. `fixed`: the paper's 100k training, 10k validation, 20k test sequences."""
    curriculum: tuple[int, ...] | None = None
    """Pairs of the training stages, equal shares of the steps; the last is the task itself."""
    hidden: int | None = None
    """Hidden units R."""
    embedding: int | None = None
    """Size of a learned input embedding; 0 feeds one-hot symbols."""
    readout: int | None = None
    """Units of a ReLU layer before the softmax; 0 leaves a linear head."""
    inner_steps: int | None = None
    """Steps S of the inner loop."""
    nonlinearity: Literal["relu", "tanh"] | None = None
    """Nonlinearity of the hidden units."""
    layer_norm: bool | None = None
    """Layer normalisation inside the inner loop."""
    preliminary_norm: bool | None = None
    """Layer normalisation of h_0 too."""
    norm_gain: float | None = None
    """Initial gain of the layer normalisation."""
    recurrent_scale: float | None = None
    """W starts as this multiple of the identity."""
    input_std: float | None = None
    """Standard deviation of the input weights C at the start."""
    beta2: float | None = None
    """Adam's second-moment decay (RMSProp's smoothing)."""
    test_samples: int = 20_000
    """Fresh sequences in the final test."""


@dataclass(frozen=True, kw_only=True)
class RetrievalTest:
    """What a test of a run takes."""

    samples: Annotated[int | None, "test on so many fresh sequences [default: 20,000]"] = None
    pairs: Annotated[int | None, "pairs of those sequences [default: the run's own]"] = None
    seed: Annotated[int | None, "seed of those sequences [default: 0]"] = None
