"""What the records of a run say, each name with its type: the one place where they are read and held against these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from fastweights.errors import UserError
from fastweights.io.typed import Count, Size, check

if TYPE_CHECKING:
    from fastweights.runs import Run

Figure: TypeAlias = float | None
"""A measured number; None where it is not finite, or there was nothing to measure."""

Figures: TypeAlias = list[float | None]


class TokenizerRecord(TypedDict, total=False):
    """What turns a text into tokens."""

    kind: str
    vocabulary: list[str]
    merges: list[str]


class TaskRecord(TypedDict, total=False):
    """What `config.json` says of the task, whichever it is."""

    name: str
    options: dict[str, Any]
    vocabulary: list[str]
    tokenizer: TokenizerRecord
    fingerprint: str
    words: dict[str, Count]
    notes: list[str]


class StoriesRecord(TaskRecord, total=False):
    """The same of stories."""

    counts: dict[str, dict[str, Count]]


class TextRecord(TaskRecord, total=False):
    """The same of a text."""

    counts: dict[str, Count]


class Row(TypedDict, total=False):
    """A row of `metrics.jsonl`, of whatever experiment."""

    step: Count
    seconds: float
    compile_seconds: float
    learning_rate: float
    train_loss: Figure
    train_accuracy: Figure
    train_gradient_norm: Figure
    train_reward: Figure
    train_entropy: Figure
    train_value_loss: Figure
    train_cross_entropy: Figure
    train_auxiliary: Figure
    accuracy: Figure
    perplexity: Figure
    cross_entropy: Figure
    accuracy_without_task_3: Figure
    per_task_accuracy: Figures
    per_task_perplexity: Figures
    per_digit_accuracy: Figures
    per_slot_accuracy: Figures
    squared_error: Figure
    train_squared_error: Figure
    answers: Count
    fast_gradient_norm: Figure
    slow_gradient_norm: Figure
    reward: Figure
    reward_error: Figure
    entropy_weight: float
    validation_cross_entropy: Figure
    validation_perplexity: Figure


class Result(TypedDict, total=False):
    """What `result.json` says, of whatever experiment."""

    model: str
    steps: Count
    limit_seconds: float | None
    train_seconds: float
    compile_seconds: float
    parameters: Count
    backend: str
    processes: Size
    threads: Size
    seed: Count
    out: str
    mode: str
    form: str
    about: str
    reading: str
    data: str
    preset: str
    unit: str
    notes: list[str]
    tasks: list[Size]
    pairs: Size
    features: Size
    size: Size
    visible: Size
    epochs: float
    state_size: Count
    frames: Count
    frames_to_reach: Count | None
    test_accuracy: Figure
    test_accuracy_percent: Figure
    test_accuracy_without_task_3: Figure
    test_error_percent: Figure
    test_cross_entropy: Figure
    test_perplexity: Figure
    test_perplexity_tuned: Figure
    test_bits_per_word: Figure
    test_reward: Figure
    test_reward_error: Figure
    test_seconds: float
    test_squared_error: Figure
    test_length: Size
    trained_length: Size
    trained_accuracy_percent: Figure
    ridge_squared_error: float
    per_step_score: Figures
    per_step_ridge: Figures
    test_answers: Count
    test_episodes: Count
    test_images: Count
    test_rows: Size
    test_samples: Count
    test_words: Count
    test_per_digit_accuracy: Figures
    test_confusion: list[list[Count]]
    per_slot_accuracy: Figures
    per_task_accuracy: Figures
    per_task_perplexity: Figures
    cross_entropy: Figure
    temperature: float
    words_per_second: Figure
    updates_per_second: Figure
    train_reward: Figure
    evaluation_reward: Figure
    caught: Figure
    best_possible: float
    chance: float
    steps_to: dict[str, Count | None]
    no_binding_ceiling: float
    validation_accuracy: Figure
    validation_accuracy_percent: Figure
    validation_answers: Count
    validation_error_percent: Figure
    validation_squared_error: Figure
    validation_perplexity: Figure
    validation_perplexity_1: Figure
    validation_bits_per_word: Figure


def config_of(run: Run) -> dict[str, Any]:
    """Return what a run's `config.json` says: what was trained, and on what.

    Raises:
        UserError: if it does not say that, or something in it is of another type than what is written.
    """
    task = run.config.get("task")
    for title, entry in (
        ("plan", run.config.get("plan")),
        ("model", run.config.get("model")),
        ("task", task),
        ("task's options", task.get("options") if isinstance(task, dict) else None),
    ):
        if not isinstance(entry, dict):
            raise UserError(
                f"{run.folder}/config.json does not describe the {title}: it was changed"
            )
    check(run.folder / "config.json", run.config["task"], TaskRecord)
    return run.config


def metrics_of(run: Run) -> list[dict[str, Any]]:
    """Return the rows of a run's metrics.

    Raises:
        UserError: if one is damaged, was changed, or says something of another type than what is written.
    """
    rows = run.metrics()
    for number, row in enumerate(rows, start=1):
        check(f"{run.folder}/metrics.jsonl, line {number}", row, Row)
    return rows


def result_of(run: Run) -> dict[str, Any] | None:
    """Return a run's result; None while it has none.

    Raises:
        UserError: if it is damaged, was changed, or says something of another type than what is written.
    """
    result = run.result()
    if result is not None:
        advice = "remove it, and --resume tests the run anew"
        check(run.folder / "result.json", result, Result, advice)
    return result
