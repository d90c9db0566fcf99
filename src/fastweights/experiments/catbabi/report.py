"""Results for a terminal: catbAbI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastweights.experiments.plan import Record
from fastweights.experiments.terminal import (
    Shown,
    TextTable,
    counted,
    figure_table,
    sample_table,
    training_rows,
)

RELEASE = "the release"


def report(result: Record, samples: Sequence[Record]) -> Iterator[Shown]:
    """Show what came of training, and a few answered questions."""
    reading = f"{counted(result['test_rows'], 'row')}, {result['test_seconds']:.1f} s"
    valid = f"{100 * result['validation_accuracy']:.2f} %, perplexity {result['validation_perplexity']:.3f}"
    rows = [
        ("test accuracy", f"{100 * result['test_accuracy']:.2f} %  ({result['test_answers']:,} answers; {reading})"),
        *_without_task_3(result, "test_accuracy_without_task_3"),
        ("test perplexity", f"{result['test_perplexity']:.3f}"),
        *_on_release(result, "release_test_"),
        ("validation", valid),
        *training_rows(result),
        ("state", f"{result['state_size']:,}"),
        *[("data", note) for note in result["notes"]],
    ]  # fmt: skip
    yield figure_table(f"{result['model']}, catbAbI {result['mode']}", rows)
    yield from _by_task(result["tasks"], result["per_task_accuracy"])
    if "release_test_per_task_accuracy" in result:
        yield from _by_task(result["tasks"], result["release_test_per_task_accuracy"], RELEASE)
    yield from sample_table("a few questions", samples, "question")


def report_answer(answer: Record) -> Iterator[Shown]:
    """Show the answers to a story's questions and the words that each read took most from."""
    for question in answer["questions"]:
        chance = f"probability {question['probability']:.4f}"
        yield f"{question['question']} → {question['answer']}   ({chance})"
        for number, taken in enumerate(question["attention"], start=1):
            words = ", ".join(
                f"{item['word']} ({100 * item['share']:.0f} %, word {item['step']})"
                for item in taken
            )
            yield f"  read {number}: {words}"


def report_solved(found: Record) -> Iterator[Shown]:
    """Show the right answers to stories' questions, each with the sentences it follows from."""
    for question in found["questions"]:
        known = question["word"] is not None
        yield f"{_place(found, question)}{question['question']} → {question['word'] if known else '?'}"
        if question["given"] not in (None, question["word"]):
            yield f"  the text has: {question['given']}"
        yield from _reasons(question)
    if found["given"]:
        yield f"{found['given_right']:,} of the {found['given']:,} answers that the text has are right"


def report_beside(tested: Record) -> Iterator[Shown]:
    """Show what a run answers to stories' questions, and the right answers with the sentences they follow from."""
    for question in tested["questions"]:
        verdict = {None: "", True: "right, ", False: "WRONG, "}[question["correct"]]
        yield f"{_place(tested, question)}{question['question']} → {question['answer']}"
        yield f"  {verdict}probability {question['probability']:.4f}"
        if question["correct"] is False:
            yield f"  the right answer: {question['word']}"
        yield from _reasons(question)
    yield f"{tested['correct']:,} of {tested['answers']:,} answers of {tested['model']} are right"


def _place(found: Record, question: Record) -> str:
    return "" if found["stories"] == 1 else f"{question['story']}: "


def _reasons(question: Record) -> Iterator[str]:
    """Show why an answer is right, or that there is none."""
    if question["word"] is None:
        yield "  the story does not tell"
    if question["others"]:
        yield f"  fits as well: {', '.join(question['others'])}"
    for sentence in question["supports"]:
        yield f"  sentence {sentence['number']}: {sentence['text']}"


def report_test(tested: Record) -> Iterator[Shown]:
    """Show a test on a split, or on the stories of a file."""
    if "file" in tested:
        yield from report_beside(tested)
        return
    rows = [
        ("accuracy", f"{100 * tested['accuracy']:.2f} %  ({tested['answers']:,} answers)"),
        *_without_task_3(tested, "accuracy_without_task_3"),
        ("perplexity", f"{tested['perplexity']:.3f}"),
        *_on_release(tested["release"] or {}, ""),
        ("read in", counted(tested["rows"], "row")),
        *[("data", note) for note in tested["notes"]],
    ]
    title = f"{tested['model']}, {tested['split']} split, {tested['mode']}"
    yield figure_table(title, rows)
    yield from _by_task(tested["tasks"], tested["per_task_accuracy"])
    if tested["release"] is not None:
        yield from _by_task(tested["tasks"], tested["release"]["per_task_accuracy"], RELEASE)


def _on_release(figures: Record, begin: str) -> list[tuple[str, str]]:
    """Show what generated stories taught on the release's split, if that was at hand."""
    if f"{begin}accuracy" not in figures:
        return []
    accuracy, answers = figures[f"{begin}accuracy"], figures[f"{begin}answers"]
    return [
        (f"accuracy on {RELEASE}", f"{100 * accuracy:.2f} %  ({answers:,} answers)"),
        *[(RELEASE, note) for note in figures[f"{begin}notes"]],
    ]


def _without_task_3(figures: Record, name: str) -> list[tuple[str, str]]:
    return [] if figures[name] is None else [("without task 3", f"{100 * figures[name]:.2f} %")]


def _by_task(tasks: list[int], accuracies: list[float | None], on: str = "") -> Iterator[TextTable]:
    values = ["" if value is None else f"{100 * value:.2f}" for value in accuracies]
    halves = [slice(0, 10), slice(10, None)] if len(tasks) > 10 else [slice(None)]
    for half in halves:
        names = tuple(f"task {task}" for task in tasks[half])
        title = "accuracy by task, %"
        yield TextTable(f"{title}, on {on}" if on else title, names, [tuple(values[half])])
