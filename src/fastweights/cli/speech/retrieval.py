"""What a person reads of associative retrieval."""

from __future__ import annotations

from typing import Any

from fastweights.cli.console import print_table

QUESTIONS = "sequences"
EXAMPLE = "c9k8j3f1??c"


def show_result(result: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    """Print what came of training, and a few answered questions."""
    slots = "  ".join(f"{100 * accuracy:.2f}" for accuracy in result["per_slot_accuracy"])
    seconds = f"{result['train_seconds']:.1f} s (+ {result['compile_seconds']:.1f} s compiling)"
    rows = [
        ("test accuracy", f"{100 * result['test_accuracy']:.3f} %  ({result['test_samples']:,} fresh sequences)"),
        ("by slot, oldest first", f"{slots} %"),
        ("no-binding ceiling", f"{100 * result['no_binding_ceiling']:.2f} %"),
        ("best possible", f"{100 * result['best_possible']:.2f} %"),
        ("training", f"{result['steps']:,} steps in {seconds}"),
        ("backend", f"{result['backend']}, {result['threads']} threads"),
        ("weights", f"{result['parameters']:,}"),
    ]  # fmt: skip
    print_table(f"{result['model']}, {result['pairs']} pairs", ("", ""), rows)
    asked = [
        (row["sequence"], row["answer"], f"{row['probability']:.4f}", row["truth"])
        for row in samples
    ]
    if asked:
        print_table("a few questions", ("sequence", "answer", "probability", "truth"), asked)


def show_answer(answer: dict[str, Any]) -> None:
    """Print an answer and what was attended to."""
    print(f"{answer['sequence']} → {answer['answer']}   (probability {answer['probability']:.4f})")
    if not answer["attention"]:
        return
    symbols = answer["sequence"]
    print("  step       " + "".join(f"{symbol:>6}" for symbol in symbols))
    print("  attention %" + "".join(f"{100 * share:6.1f}" for share in answer["attention"]))


def show_test(tested: dict[str, Any]) -> None:
    """Print a test on fresh sequences."""
    slots = "  ".join(f"{100 * accuracy:.2f}" for accuracy in tested["per_slot_accuracy"])
    print_table(
        f"{tested['model']}, trained on {tested['trained_pairs']} pairs, tested on {tested['pairs']}",
        ("", ""),
        [
            ("test accuracy", f"{100 * tested['test_accuracy']:.3f} %  ({tested['test_samples']:,} sequences)"),
            ("by slot, oldest first", f"{slots} %"),
            ("no-binding ceiling", f"{100 * tested['no_binding_ceiling']:.2f} %"),
            ("best possible", f"{100 * tested['best_possible']:.2f} %"),
        ],
    )  # fmt: skip
