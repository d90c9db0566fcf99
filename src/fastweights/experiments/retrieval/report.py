"""Results for a terminal: associative retrieval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastweights.experiments.plan import Record
from fastweights.experiments.terminal import (
    Shown,
    Steps,
    counted,
    figure_table,
    sample_table,
    training_rows,
)


def report(result: Record, samples: Sequence[Record]) -> Iterator[Shown]:
    """Show what came of training, and a few answered questions."""
    test = f"{result['test_samples']:,} fresh sequences"
    rows = [*_accuracy(result, test), *training_rows(result)]
    yield figure_table(f"{result['model']}, {counted(result['pairs'], 'pair')}", rows)
    yield from sample_table("a few questions", samples, "sequence")


def report_answer(answer: Record) -> Iterator[Shown]:
    """Show an answer and what was attended to."""
    yield f"{answer['sequence']} → {answer['answer']}   (probability {answer['probability']:.4f})"
    if answer["attention"]:
        shares = [f"{100 * share:.1f}" for share in answer["attention"]]
        yield Steps({"step": answer["sequence"], "attention %": shares}, 6)


def report_test(tested: Record) -> Iterator[Shown]:
    """Show a test on fresh sequences."""
    lengths = f"trained on {counted(tested['trained_pairs'], 'pair')}, tested on {tested['pairs']}"
    rows = _accuracy(tested, counted(tested["test_samples"], "sequence"))
    yield figure_table(f"{tested['model']}, {lengths}", rows)


def _accuracy(figures: Record, test: str) -> list[tuple[str, str]]:
    slots = "  ".join(f"{100 * accuracy:.2f}" for accuracy in figures["per_slot_accuracy"])
    return [
        ("test accuracy", f"{100 * figures['test_accuracy']:.3f} %  ({test})"),
        ("by slot, oldest first", f"{slots} %"),
        ("no-binding ceiling", f"{100 * figures['no_binding_ceiling']:.2f} %"),
        ("best possible", f"{100 * figures['best_possible']:.2f} %"),
    ]
