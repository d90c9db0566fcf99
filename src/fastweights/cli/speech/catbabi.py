"""What a person reads of catbAbI."""

from __future__ import annotations

from typing import Any

from fastweights.cli.console import print_table

QUESTIONS = "stories"
EXAMPLE = "Mary went to the kitchen. Where is Mary?"


def show_result(result: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    """Print what came of training, and a few answered questions."""
    seconds = f"{result['train_seconds']:.1f} s (+ {result['compile_seconds']:.1f} s compiling)"
    reading = f"{_rows(result['test_rows'])}, {result['test_seconds']:.1f} s"
    valid = f"{100 * result['validation_accuracy']:.2f} %, perplexity {result['validation_perplexity']:.3f}"
    rows = [
        ("test accuracy", f"{100 * result['test_accuracy']:.2f} %  ({result['test_answers']:,} answers; {reading})"),
        *_without_task_3(result, "test_accuracy_without_task_3"),
        ("test perplexity", f"{result['test_perplexity']:.3f}"),
        ("validation", valid),
        ("training", f"{result['steps']:,} steps in {seconds}"),
        ("backend", f"{result['backend']}, {result['threads']} threads"),
        ("weights, state", f"{result['parameters']:,}, {result['state_size']:,}"),
        *[("data", note) for note in result["notes"]],
    ]  # fmt: skip
    print_table(f"{result['model']}, catbAbI {result['mode']}", ("", ""), rows)
    _show_tasks(result["tasks"], result["per_task_accuracy"])
    asked = [
        (row["question"], row["answer"], f"{row['probability']:.4f}", row["truth"])
        for row in samples
    ]
    if asked:
        print_table("a few questions", ("question", "answer", "probability", "truth"), asked)


def show_answer(answer: dict[str, Any]) -> None:
    """Print the answers to a story's questions and the words that each read took most from."""
    for question in answer["questions"]:
        print(
            f"{question['question']} → {question['answer']}   (probability {question['probability']:.4f})"
        )
        for number, taken in enumerate(question["attention"], start=1):
            words = ", ".join(
                f"{item['word']} ({100 * item['share']:.0f} %, word {item['step']})"
                for item in taken
            )
            print(f"  read {number}: {words}")


def show_test(tested: dict[str, Any]) -> None:
    """Print a test on a split."""
    rows = [
        ("accuracy", f"{100 * tested['accuracy']:.2f} %  ({tested['answers']:,} answers)"),
        *_without_task_3(tested, "accuracy_without_task_3"),
        ("perplexity", f"{tested['perplexity']:.3f}"),
        ("read in", _rows(tested["rows"])),
    ]
    print_table(f"{tested['model']}, {tested['split']} split, {tested['mode']}", ("", ""), rows)
    _show_tasks(tested["tasks"], tested["per_task_accuracy"])


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _without_task_3(figures: dict[str, Any], name: str) -> list[tuple[str, str]]:
    return [] if figures[name] is None else [("without task 3", f"{100 * figures[name]:.2f} %")]


def _show_tasks(tasks: list[int], accuracies: list[float | None]) -> None:
    shown = ["" if value is None else f"{100 * value:.2f}" for value in accuracies]
    halves = [slice(0, 10), slice(10, None)] if len(tasks) > 10 else [slice(None)]
    for half in halves:
        names = tuple(f"task {task}" for task in tasks[half])
        print_table("accuracy by task, %", names, [tuple(shown[half])])
