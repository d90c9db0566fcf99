"""Options of the tests of sequence models, and their defaults: what all share, and one type a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from fastweights.experiments.options import (
    BackboneOptions,
    OptimiserOptions,
    RunOptions,
    StepOptions,
)


@dataclass(frozen=True, kw_only=True)
class SequenceOptions(BackboneOptions, StepOptions, OptimiserOptions, RunOptions):
    """What the tests of sequence models share.

    Attributes:
        task: its name.
        task_fields: fields that are options of the task's class.
        longer: the field that says how long the sequences of the task are.
    """

    hidden: int | None = None
    """Hidden units of each layer."""
    layers: int | None = None
    """Layers of the backbone on top of each other."""
    convolution: int | None = None
    """Steps that a short causal convolution before the backbone sees, the present one included; 0: there is none."""
    embedding: int | None = None
    """Size of a learned input embedding; 0 feeds one-hot symbols, or the vectors of the task as they are."""
    train_samples: int | None = None
    """Train on so many sequences, in epochs; 0: on new ones for ever."""
    test_samples: int = 1000
    """New sequences in the final test."""

    of_test = ("test_samples",)
    task: ClassVar[str]
    task_fields: ClassVar[tuple[str, ...]]
    longer: ClassVar[str] = "length"


@dataclass(frozen=True, kw_only=True)
class StateTrackingOptions(SequenceOptions):
    """Train a model to follow a state: parity, arithmetic modulo 5, products of permutations.

    It answers after every symbol. The test is on longer sequences than were trained on.
    """

    problem: Literal[
        "parity", "even-pairs", "cycle-navigation", "modular-arithmetic", "s3", "s4", "a5", "s5"
    ] = "parity"
    """What is followed; s3, s4, s5 are all permutations of so many things, a5 the even ones of five."""
    length: int = 40
    """Symbols of a sequence in training."""
    test_length: int = 256
    """Symbols of a sequence in the final test."""

    of_test = ("test_samples", "test_length")
    task: ClassVar[str] = "state-tracking"
    task_fields: ClassVar[tuple[str, ...]] = ("problem", "length")


@dataclass(frozen=True, kw_only=True)
class MQAROptions(SequenceOptions):
    """Train a model on multi-query associative recall: pairs of keys and values, then each key again (zoology).

    The paper has a vocabulary of 8,192, which takes far more steps than the defaults here.
    """

    pairs: int = 8
    """Pairs of a key and a value in a sequence."""
    length: int = 64
    """Symbols of a sequence, at least four for each pair."""
    vocabulary: int = 64
    """Symbols: half of them keys, half values."""

    task: ClassVar[str] = "mqar"
    task_fields: ClassVar[tuple[str, ...]] = ("pairs", "length", "vocabulary")


@dataclass(frozen=True, kw_only=True)
class MADOptions(SequenceOptions):
    """Train a model on one of the six tests of MAD (Poli et al. 2024).

    Sizes that are not given are those of the published baseline.
    """

    kind: Literal[
        "in-context-recall",
        "fuzzy-recall",
        "noisy-recall",
        "selective-copying",
        "compression",
        "memorisation",
    ] = "in-context-recall"
    """Which of the six."""
    length: int | None = None
    """Symbols of a sequence with its last answer."""
    vocabulary: int | None = None
    """Symbols, those of noise and the special ones included."""

    task: ClassVar[str] = "mad"
    task_fields: ClassVar[tuple[str, ...]] = ("kind", "length", "vocabulary")


@dataclass(frozen=True, kw_only=True)
class SelectiveCopyingOptions(SequenceOptions):
    """Train a model to say symbols again that stood at random places among blanks (Gu & Dao 2024)."""

    copied: int = 8
    """Symbols to copy."""
    length: int = 64
    """Symbols of a sequence, the blanks and the markers included."""
    vocabulary: int = 16
    """Symbols, the blank and the marker included."""

    task: ClassVar[str] = "selective-copying"
    task_fields: ClassVar[tuple[str, ...]] = ("copied", "length", "vocabulary")


@dataclass(frozen=True, kw_only=True)
class InContextRegressionOptions(SequenceOptions):
    """Train a model to go on with a linear function of which it is shown points (Garg et al. 2022).

    Its squared error stands beside that of ridge regression on the same points.
    """

    points: int = 16
    """Points of a sequence; each is asked for before it is shown."""
    dimensions: int = 4
    """Numbers of an x."""
    noise: float = 0.1
    """Standard deviation of the noise of y, which has the variance 1 besides."""

    task: ClassVar[str] = "in-context-regression"
    task_fields: ClassVar[tuple[str, ...]] = ("points", "dimensions", "noise")
    longer: ClassVar[str] = "points"


@dataclass(frozen=True, kw_only=True)
class SequenceTest:
    """Options of a test of a run."""

    samples: Annotated[int | None, "test on so many new sequences [default: 1000]"] = None
    length: Annotated[
        int | None, "their length (of regression: points) [default: as in the recorded test]"
    ] = None
    seed: Annotated[int | None, "seed of those sequences [default: 0]"] = None


class Recipe(NamedTuple):
    """How a task is trained, the same for every backbone."""

    steps: int
    batch: int = 64
    learning_rate: float = 3e-3
    hidden: int = 64
    layers: int = 1
    convolution: int = 4
    embedding: int = 64


RECIPES: dict[str, Recipe] = {
    "state-tracking": Recipe(1500, convolution=0),
    "mqar": Recipe(1500),
    "mad": Recipe(1000, batch=32),
    "selective-copying": Recipe(1500),
    "in-context-regression": Recipe(2000, embedding=0),
}
"""By task. Where what belongs together stands at two steps, a convolution brings it together for every backbone."""


def defaults(options: SequenceOptions) -> dict[str, object]:
    """Return every default: one recipe a task, for all models."""
    recipe = RECIPES[options.task]
    steps = options.steps or recipe.steps
    return {
        **recipe._asdict(),
        "optimiser": "adamw",
        "schedule": "cosine",
        "warmup": min(100, steps // 10),
        "clip": 1.0,
        "evaluation_interval": max(1, steps // 20),
        "train_samples": 0,
        **_baseline(options),
    }


def _baseline(options: SequenceOptions) -> dict[str, Any]:
    """Return the sizes of the published baseline of a test of MAD."""
    from fastweights.tasks.mad import KINDS

    if not isinstance(options, MADOptions) or options.kind not in KINDS:
        return {}
    kind = KINDS[options.kind]
    return {
        "length": kind.length,
        "vocabulary": kind.vocabulary,
        "train_samples": kind.samples,
    }
