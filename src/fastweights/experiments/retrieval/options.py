"""Options of associative retrieval, and their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from fastweights.experiments.options import (
    BackboneOptions,
    FastWeightOptions,
    OptimiserOptions,
    RunOptions,
    StepOptions,
    backbone_fields,
    has_options,
)


@dataclass(frozen=True, kw_only=True)
class RetrievalOptions(
    BackboneOptions, FastWeightOptions, StepOptions, OptimiserOptions, RunOptions
):
    """Train a model on associative retrieval: `c9k8j3f1??c → 9` (Ba et al. 2016, section 4.1).

    Settings that are not given are those that reach the recorded accuracy for the chosen pairs, query and model.
    """

    pairs: int = 4
    """Key-value pairs in a sequence, 1 to 26."""
    query: Literal["paper", "trailing-read"] = "paper"
    """`paper`: …??q, answer at once. `trailing-read`: …??q?, answer one step later."""
    repeat_keys: bool = False
    """Draw keys with repetition (they are distinct otherwise)."""
    sampling: Literal["fresh", "fixed"] = "fresh"
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
    contrast: float | None = None
    """Weight of a contrastive loss: the state at the question is to be nearer to that at its key than to any other's.
    [default: none]"""
    fixed: Literal["random", "identity"] | None = None
    """Train the read-out alone: W, C and b stay as they begin, C random or a unit a symbol. [default: all learn]"""
    test_samples: int = 20_000
    """Fresh sequences in the final test."""

    of_test = ("test_samples",)
    renamed: ClassVar[Mapping[str, str]] = {"form": "query", "data": "sampling"}


@dataclass(frozen=True, kw_only=True)
class RetrievalTest:
    """Options of a test of a run."""

    samples: Annotated[int | None, "test on so many fresh sequences [default: 20000]"] = None
    pairs: Annotated[int | None, "pairs of those sequences [default: the run's own]"] = None
    seed: Annotated[int | None, "seed of those sequences [default: 0]"] = None


FAST_WEIGHT_OPTIONS = (
    "decay",
    "rate",
    "inner_steps",
    "nonlinearity",
    "layer_norm",
    "preliminary_norm",
    "norm_gain",
    "recurrent_scale",
    "input_std",
)
"""Fields that only a fast-weights RNN understands; they become the backbone's options."""


def defaults(options: RetrievalOptions) -> dict[str, object]:
    """Return every default for a model on a task: a base, then what the size of the task changes.

    Raises:
        UserError: if an option is given that the model does not have.
    """
    backbone_fields(options, FAST_WEIGHT_OPTIONS)
    learning_rate, steps, curriculum = 1e-2, 5400, None
    chosen: dict[str, object] = {
        "hidden": 50,
        "embedding": 0,
        "readout": 0,
        "decay": 0.95,
        "rate": 0.5,
        "inner_steps": 1,
        "nonlinearity": "relu",
        "layer_norm": True,
        "preliminary_norm": False,
        "norm_gain": 0.5,
        "recurrent_scale": 0.05,
        "input_std": 1.0,
        "batch": 128,
        "optimiser": "adam",
        "beta2": 0.999,
        "schedule": "cosine",
        "clip": 1.0,
    }
    pairs = options.pairs
    if pairs > 4:
        chosen.update(hidden=100, decay=1.0, rate=0.1, norm_gain=1.0)
        learning_rate, steps = 5e-3, 3200
    if pairs > 8:
        curriculum = (*(stage for stage in (4, 8, 16) if stage < pairs), pairs)
        chosen["hidden"] = 128
        learning_rate, steps = 3e-3, 1000 * len(curriculum)
    if options.query == "trailing-read" and pairs == 4:
        steps = 8000
    if options.model == "fast-weights-flat":
        chosen.update(nonlinearity="tanh", recurrent_scale=0.5, norm_gain=1.0, clip=5.0)
        learning_rate = 5e-3
    if (options.hidden or 0) >= 100:
        learning_rate = min(learning_rate, 5e-3)
    if options.sampling == "fresh":
        chosen["curriculum"] = curriculum
    if not has_options(options.model, FAST_WEIGHT_OPTIONS):
        chosen = {name: chosen[name] for name in chosen if name not in FAST_WEIGHT_OPTIONS}
    steps = options.steps or steps
    return {
        **chosen,
        "steps": steps,
        "learning_rate": learning_rate,
        "evaluation_interval": max(1, steps // 20),
        "warmup": min(200, steps // 10),
    }
