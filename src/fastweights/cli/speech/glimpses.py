"""What a person reads of MNIST glimpses."""

from __future__ import annotations

from typing import Any

from fastweights.cli.console import print_table

QUESTIONS = "images"
EXAMPLE = "7"


def show_result(result: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    """Print what came of training, and a few answers."""
    seconds = f"{result['train_seconds']:.1f} s (+ {result['compile_seconds']:.1f} s compiling)"
    rows = [
        ("test error", f"{result['test_error_percent']:.2f} %  ({result['test_images']:,} images)"),
        ("validation error", f"{result['validation_error_percent']:.2f} %"),
        ("training", f"{result['steps']:,} steps in {seconds}"),
        ("backend", f"{result['backend']}, {result['threads']} threads"),
        ("weights", f"{result['parameters']:,}"),
    ]
    title = f"{result['model']}, {result['features']} features, {result['reading']} glimpses"
    print_table(title, ("", ""), rows)
    _show_digits(result["test_per_digit_accuracy"])
    asked = [
        (str(row["image"]), str(row["answer"]), f"{row['probability']:.4f}", str(row["truth"]))
        for row in samples
    ]
    if asked:
        print_table("a few test images", ("image", "answer", "probability", "truth"), asked)


def show_answer(answer: dict[str, Any]) -> None:
    """Print an answer, the belief after each glimpse, and what was attended to."""
    right = "right" if answer["answer"] == answer["truth"] else f"it is a {answer['truth']}"
    chance = f"probability {answer['probability']:.4f}"
    print(f"image {answer['image']} → {answer['answer']}   ({chance}; {right})")
    beliefs = answer["beliefs"]
    rows = {
        "glimpse": [str(step) for step in range(1, len(beliefs) + 1)],
        "belief": [str(belief["answer"]) for belief in beliefs],
        "probability %": [f"{100 * belief['probability']:.0f}" for belief in beliefs],
        "attention %": [f"{100 * share:.0f}" for share in answer["attention"]],
    }
    for name, cells in rows.items():
        if cells:
            print(f"  {name:<14}" + "".join(f"{cell:>4}" for cell in cells))


def show_test(tested: dict[str, Any]) -> None:
    """Print a test on a split."""
    rows = [
        ("error", f"{tested['error_percent']:.2f} %  ({tested['images']:,} images)"),
        ("cross-entropy", f"{tested['cross_entropy']:.4f}"),
    ]
    title = f"{tested['model']}, {tested['features']} features, {tested['reading']} glimpses"
    print_table(f"{title}, {tested['split']} split", ("", ""), rows)
    _show_digits(tested["per_digit_accuracy"])


def _show_digits(accuracies: list[float]) -> None:
    names = tuple(str(digit) for digit in range(len(accuracies)))
    print_table("error by digit, %", names, [tuple(f"{100 - 100 * a:.2f}" for a in accuracies)])
