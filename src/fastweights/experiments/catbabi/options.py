"""Options of catbAbI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from fastweights.experiments.options import (
    BackboneOptions,
    DataOptions,
    MemoryOptions,
    OptimiserOptions,
    RunOptions,
    StepOptions,
    TimeOptions,
)


@dataclass(frozen=True, kw_only=True)
class CatBAbIOptions(
    TimeOptions,
    StepOptions,
    MemoryOptions,
    BackboneOptions,
    OptimiserOptions,
    DataOptions,
    RunOptions,
):
    """Train a model on catbAbI: all bAbI stories as one endless text (Schlag et al. 2021, section 4.1).

    Settings that are not given are those recorded for the chosen model and mode. On several cores or GPUs:
    torchrun --nproc-per-node N -m fastweights train catbabi …
    """

    model: str = "fwm"
    """Backbone; `fastweights list` shows them all."""
    mode: Literal["qa", "lm"] = "qa"
    """`qa`: learn the answers. `lm`: learn every word, the answers among them."""
    release: Literal["10k", "1k"] = "10k"
    """Which release: 10,000 or 1,000 training questions a task."""
    tasks: tuple[int, ...] | None = None
    """Tasks, 1 to 20. [default: all]"""
    stories: Literal["generated", "release", "published", "all"] | None = None
    """`generated`: made by the rules of bAbI, without end and without data; taken where no release is found. `release`
    or `published`: the authors' counts, each file's last story lost. `all`: every story of it."""
    names: Literal["release", "any", "held-out"] | None = None
    """Generated stories: each task's own names, any of all tasks', or some in test stories alone."""
    window: int | None = None
    """Generated stories: ask about one of the last so many clauses."""
    questions: int | None = None
    """Generated stories: questions of a story of tasks 1-3, 5-15, 17 and 18."""
    people: int | None = None
    """Generated stories: people of a story of tasks 1-3 and 5-14. [default: 4]"""
    things: int | None = None
    """Generated stories: things of a story of tasks 2, 3 and 5-8. [default: 3]"""
    subquestions: bool | None = None
    """Generated stories: two of three train stories of task 16 ask a part of its question."""
    pool: int | None = None
    """Generated stories: learn from so many of each task, again and again. [default: none comes twice]"""
    pool_tasks: tuple[int, ...] | None = None
    """Generated stories: the tasks with a pool; new stories of the others. [default: all]"""
    rename: Literal["none", "missing", "all"] = "missing"
    """Stories with people, places and things renamed: only copies that stand in for missing ones of task 3, or all."""
    rename_tasks: tuple[int, ...] = ()
    """Tasks whose stories are renamed at every draw, besides."""
    often: tuple[int, ...] = ()
    """Tasks whose stories come several times an epoch."""
    times: int = 2
    """How many times."""
    embedding: int | None = None
    """Size of the word embedding."""
    hidden: int | None = None
    """Hidden units of the backbone."""
    variant: Literal["catbabi", "paper", "language_model", "meta_rl"] | None = None
    """fwm: which of the published forms."""
    combine: Literal["product", "concat"] | None = None
    """fwm: keys combined by tensor product or by concatenation."""
    residual: bool | None = None
    """fwm: add the LSTM's output to the memory's."""
    word_dropout: float | None = None
    """The probability that a word's whole embedding is dropped."""
    embedding_dropout: float | None = None
    """The probability that an element of a word's embedding is dropped."""
    meta_objective: float = 1.0
    """mnm: weight of the memory's own reconstruction loss."""
    answer_weight: float | None = None
    """`lm`: how many other words an answer counts as in the loss. [default: 1]"""
    length: int = 200
    """Steps of truncated back-propagation through time."""
    weight_decay: float | None = None
    """Weight decay, decoupled in adamw."""
    validation_segments: int | None = None
    """Segments of each of 64 rows of validation text that an evaluation during training reads."""
    evaluation_start: Literal["zeros", "row"] = "zeros"
    """Where an evaluation in training starts: zeros, or the state of training's row 0 (the authors'); tests: zeros."""
    test_rows: int | None = None
    """Rows that the test reads the split in; 1 is exact."""

    limits = ("minutes",)
    of_test = ("test_rows",)
    renamed: ClassVar[Mapping[str, str]] = {"size": "release"}


@dataclass(frozen=True, kw_only=True)
class CatBAbITest(DataOptions):
    """Options of a test of a run."""

    split: Annotated[str | None, "test on this split: test or valid [default: test]"] = None
    file: Annotated[Path | None, "answer the stories in this file, beside the right answers"] = None
    stories: Annotated[
        str | None, "test on these: generated, release or all [default: the run's own]"
    ] = None
    names: Annotated[
        str | None, "names of generated stories: release, any or held-out [default: the run's]"
    ] = None
    window: Annotated[int | None, "generated stories ask about one of the last so many clauses"] = (
        None
    )
    story_questions: Annotated[int | None, "questions of a generated story"] = None
    people: Annotated[int | None, "people of a generated story"] = None
    things: Annotated[int | None, "things of a generated story"] = None
