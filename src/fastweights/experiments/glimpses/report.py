"""Results for a terminal: MNIST glimpses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastweights.experiments.plan import Record
from fastweights.experiments.terminal import (
    Shown,
    Steps,
    TextTable,
    figure_table,
    sample_table,
    training_rows,
)


def report(result: Record, samples: Sequence[Record]) -> Iterator[Shown]:
    """Show what came of training, and a few answers."""
    rows = [
        ("test error", f"{result['test_error_percent']:.2f} %  ({result['test_images']:,} images)"),
        ("validation error", f"{result['validation_error_percent']:.2f} %"),
        *training_rows(result),
    ]
    yield figure_table(_title(result), rows)
    yield _by_digit(result["test_per_digit_accuracy"])
    yield from sample_table("a few test images", samples, "image")


def report_answer(answer: Record) -> Iterator[Shown]:
    """Show an answer, the belief after each glimpse, and what was attended to."""
    right = "right" if answer["answer"] == answer["truth"] else f"it is a {answer['truth']}"
    chance = f"probability {answer['probability']:.4f}"
    yield f"image {answer['image']} → {answer['answer']}   ({chance}; {right})"
    beliefs = answer["beliefs"]
    rows = {
        "glimpse": [str(number) for number in range(1, len(beliefs) + 1)],
        "belief": [str(belief["answer"]) for belief in beliefs],
        "probability %": [f"{100 * belief['probability']:.0f}" for belief in beliefs],
        "attention %": [f"{100 * share:.0f}" for share in answer["attention"]],
    }
    yield Steps({name: cells for name, cells in rows.items() if cells}, 4)


def report_test(tested: Record) -> Iterator[Shown]:
    """Show a test on a split."""
    rows = [
        ("error", f"{tested['error_percent']:.2f} %  ({tested['images']:,} images)"),
        ("cross-entropy", f"{tested['cross_entropy']:.4f}"),
    ]
    yield figure_table(f"{_title(tested)}, {tested['split']} split", rows)
    yield _by_digit(tested["per_digit_accuracy"])


def _title(figures: Record) -> str:
    return f"{figures['model']}, {figures['features']} features, {figures['reading']} glimpses"


def _by_digit(accuracies: Sequence[float]) -> TextTable:
    digits = tuple(str(digit) for digit in range(len(accuracies)))
    errors = tuple(f"{100 - 100 * accuracy:.2f}" for accuracy in accuracies)
    return TextTable("error by digit, %", digits, [errors])
